# Git repositories for the scripts, below $work/git, and a working copy of each.
export GIT_AUTHOR_NAME=dev GIT_AUTHOR_EMAIL=dev@example.com GIT_COMMITTER_NAME=dev GIT_COMMITTER_EMAIL=dev@example.com
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1

# repository OWNER/NAME: an empty one, and its working copy in NAME.
repository() {
  git init --quiet --bare --initial-branch=main "git/$1.git"
  git clone --quiet "git/$1.git" "$(basename "$1")" 2> /dev/null
  git -C "$(basename "$1")" checkout --quiet -b main
}

# push FOLDER [BRANCH]: commits all that changed, and prints the commit.
push() {
  git -C "$1" add --all > /dev/null
  git -C "$1" commit --quiet --message change > /dev/null
  git -C "$1" push --quiet origin "HEAD:${2:-main}" > /dev/null
  git -C "$1" rev-parse HEAD
}

# connect: connects the repositories; sets connection, hook and secret.
connect() {
  "$HADRON" connection create --name local --provider GITHUB --kind git --url "file://$work/git" --output json > connection.json
  connection=$(field connectionArn) hook=$(field webhookUrl) secret=$(field webhookSecret)
}
field() { python3 -c 'import json, sys; print(json.load(open("connection.json"))[sys.argv[1]])' "$1"; }

# pushed OWNER/NAME: tells of a push, as a server's webhook does.
pushed() {
  python3 - "$hook" "$secret" "$1" <<'END'
import hashlib, hmac, json, sys, urllib.request
hook, secret, name = sys.argv[1:]
body = json.dumps({"repository": {"full_name": name}}).encode()
signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
urllib.request.urlopen(urllib.request.Request(hook, body, {"X-Hub-Signature-256": "sha256=" + signature}))
END
}

# until_equal WANT COMMAND...: waits until the command prints it.
until_equal() {
  local want=$1 got n
  shift
  for n in $(seq 60); do
    got=$("$@" 2> /dev/null) && [ "$got" = "$want" ] && return 0
    sleep 0.2
  done
  echo "want: $want"
  echo " got: $got"
  exit 1
}
