#!/usr/bin/env bash
# Builds Gitea, the forge that tests open pull requests on, from its pinned
# module into .tools, and prints the folder. Needs Go and a C compiler; the
# first time takes minutes. Its web pages are not built: the API is enough.
set -euo pipefail
version=v1.26.0
sum=h1:fJP9dqLbzKrKWUVnCVTfVersZdVDuyJQLEDzCAOmKKA=
cd "$(dirname "$0")/.."
folder=$PWD/.tools/gitea-$version
if [ -x "$folder/gitea" ] && [ -e "$folder/static/options" ]; then
  echo "$folder"
  exit
fi
mkdir -p .tools
exec 9> .tools/gitea.lock
flock 9
module=$(cd / && go mod download -json "code.gitea.io/gitea@$version")
got=$(sed -n 's/^[[:space:]]*"Sum": "\(.*\)",\{0,1\}$/\1/p' <<< "$module")
source=$(sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p' <<< "$module")
if [ "$got" != "$sum" ]; then
  echo "the module of Gitea $version has the sum $got, want $sum" >&2
  exit 1
fi
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
cp -r "$source/." "$work"
chmod -R u+w "$work"
mkdir -p "$work/public/assets" "$folder"
(cd "$work" && CGO_ENABLED=1 go build -buildvcs=false -tags 'sqlite sqlite_unlock_notify' -o "$folder/gitea.new" . >&2)
rm -rf "$folder/static"
mkdir "$folder/static"
cp -r "$work/options" "$work/templates" "$work/public" "$folder/static/"
mv "$folder/gitea.new" "$folder/gitea"
echo "$folder"
