package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// writeSession writes each command to a file of its own, and a script that
// reads them in one after another in one shell. A file each is what keeps a
// command's text exact and an unbalanced quote in one from swallowing the next. The number of the command that runs stands in the file
// "at", so that whatever ends the shell is blamed on the right command.
func (f *folder) writeSession(commands []string) error {
	var s strings.Builder
	at := quote(f.Path("at"))
	for i, text := range commands {
		name := f.Path("job", "commands", fmt.Sprintf("%03d", i+1))
		if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
			return err
		}
		fmt.Fprintf(&s, "printf %%s %d >| %s\n", i+1, at)
		fmt.Fprintf(&s, "printf '%%s\\n' %s\n", quote("[hadron] running command: "+text))
		// No "||" after it: that would switch off a command's own set -e.
		fmt.Fprintf(&s, ". %s\n", quote(name))
		s.WriteString("__hadron_status=$?\n[ \"$__hadron_status\" -eq 0 ] || exit \"$__hadron_status\"\n")
	}
	fmt.Fprintf(&s, "printf end >| %s\n", at)
	s.WriteString("exit 0\n")
	return os.WriteFile(f.session(), []byte(s.String()), 0o600)
}

// session is the script's path.
func (f *folder) session() string { return f.Path("job", "commands", "session") }

// quote returns s as one word of a shell's language.
func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// awsWrapper stands first in PATH under the name aws. Command line clients from
// before mid-2023 do not read AWS_ENDPOINT_URL_PROTON, and some pipelines name
// Proton's public endpoint themselves: of two --endpoint-url the last counts.
const awsWrapper = `#!/bin/sh
# Sends "aws proton ..." to Hadron, signed with the run's own key; all else goes
# to the real aws unchanged.
here=%s
real=
set -f
IFS=:
for dir in $PATH; do
  case ${dir:-.} in "$here") continue ;; esac
  if [ -f "${dir:-.}/aws" ] && [ -x "${dir:-.}/aws" ]; then
    real=${dir:-.}/aws
    break
  fi
done
unset IFS
set +f
if [ -z "$real" ]; then
  echo "aws: command not found" >&2
  exit 127
fi
service=
explicit=
value=
for arg in "$@"; do
  if [ -n "$value" ]; then
    [ "$value" != endpoint ] || explicit=$arg
    value=
    continue
  fi
  case $arg in
    --endpoint-url) value=endpoint ;;
    --endpoint-url=*) explicit=${arg#*=} ;;
    --region|--profile|--output|--query|--color|--ca-bundle|--cli-read-timeout|--cli-connect-timeout|--cli-binary-format) value=other ;;
    -*) ;;
    *) [ -n "$service" ] || service=$arg ;;
  esac
done
if [ "$service" = proton ] && [ -n "${AWS_ENDPOINT_URL_PROTON:-}" ]; then
  case $explicit in
    ''|https://proton.*.amazonaws.com|https://proton.*.amazonaws.com/) set -- "$@" --endpoint-url "$AWS_ENDPOINT_URL_PROTON" ;;
  esac
  if [ -n "${HADRON_ACCESS_KEY_ID:-}" ]; then
    unset AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_PROFILE
    AWS_ACCESS_KEY_ID=$HADRON_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$HADRON_SECRET_ACCESS_KEY
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  fi
fi
exec "$real" "$@"
`

func (f *folder) writeAWSWrapper() error {
	bin := f.Path("job", "bin")
	return os.WriteFile(filepath.Join(bin, "aws"), fmt.Appendf(nil, awsWrapper, quote(bin)), 0o700)
}
