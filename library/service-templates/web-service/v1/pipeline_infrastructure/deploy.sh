#!/bin/sh
# Brings a release, a folder of pages, to every instance of the service:
#
#   deploy.sh FOLDER
#
# The instances' folders are in the file "targets", written by the pipeline.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
value() { sed -n "s/^$1=//p" "$here/pipeline.conf"; }

if [ $# -ne 1 ] || [ ! -d "$1" ]; then
  echo "usage: $0 FOLDER" >&2
  exit 2
fi
if [ "$(value require_index)" = true ] && [ ! -f "$1/index.html" ]; then
  echo "$1 has no index.html" >&2
  exit 1
fi
id=$(date -u +%Y%m%dT%H%M%SZ)-$$
failed=0

# deploy brings the release to one instance: all of it is there before it shows.
deploy() {
  release=$2/releases/$id
  mkdir "$release" && cp -R "$1/." "$release/" || return 1
  printf '%s\n' "releases/$id" >"$2/current" || return 1
  ln -sfn "releases/$id" "$2/site" || return 1
  # Names of releases begin with their date, so that they sort by age.
  ls "$2/releases" | grep -v '^welcome$' | sort -r | tail -n +"$(($(value keep_releases) + 1))" |
    while IFS= read -r old; do rm -rf "$2/releases/${old:?}"; done
}

tab=$(printf '\t')
while IFS=$tab read -r name place; do
  if deploy "$1" "$place"; then
    echo "$name: released $id"
    continue
  fi
  echo "$name: the release failed" >&2
  failed=1
  if [ "$(value on_failure)" = stop ]; then
    break
  fi
done <"$here/targets"
exit "$failed"
