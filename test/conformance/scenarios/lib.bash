# What the scenarios share: the helpers of the other scripts, and the texts of
# specs. The templates net, web and plain and the environment dev are there.
. "$(dirname "$0")/../awscli/lib.bash"
connection=arn:aws:codestar-connections:$AWS_REGION:123456789012:connection/0f0e0d0c-1111-2222-3333-444455556666
arn=arn:aws:proton:$AWS_REGION:123456789012

# service NAME INSTANCES: a service with a pipeline and instances in dev, created to its end.
service() {
  aws proton create-service --name "$1" --template-name web --template-major-version 1 --repository-connection-arn "$connection" \
    --repository-id "acme/$1" --branch-name main --spec "$2"
  until_is ACTIVE service.status get-service --name "$1"
}

# until_is WANT QUERY CALL...: waits until the call's answer says so.
until_is() {
  local want=$1 query=$2 got n
  shift 2
  for n in $(seq 100); do
    got=$(aws proton "$@" --query "$query" --output text)
    [ "$got" != "$want" ] || return 0
    sleep 0.2
  done
  echo "want $want, got $got"
  exit 1
}
