#!/bin/sh
# "check" refuses a module in the program whose licence nobody has allowed;
# "save FOLDER" copies the texts of all licences, which go with a release.
set -eu
cd "$(dirname "$0")/.."
tool=github.com/google/go-licenses@v1.6.0
allowed=Apache-2.0,MIT,BSD-2-Clause,BSD-3-Clause,ISC,MPL-2.0
# modernc.org/mathutil: BSD-3-Clause with other names in it, which the tool does not recognize.
unrecognized=modernc.org/mathutil
log=$(mktemp)
trap 'rm -f "$log"' EXIT

case ${1:-} in
check) set -- check ./cmd/hadron --allowed_licenses="$allowed" ;;
save)
  target=$2
  set -- save ./cmd/hadron --save_path="$target" --force
  ;;
*)
  echo "usage: $0 check | save FOLDER" >&2
  exit 2
  ;;
esac
GOFLAGS=-mod=readonly go run "$tool" "$@" --ignore="$unrecognized" --ignore=github.com/hadronhq/hadron 2>"$log" || {
  grep -v -e '^W' -e '\.s$' "$log" >&2
  exit 1
}
if [ -n "${target:-}" ]; then
  mkdir -p "$target/$unrecognized"
  cp "$(go list -m -f '{{.Dir}}' "$unrecognized")/LICENSE" "$target/$unrecognized/"
  chmod -R u+w "$target"
fi
