#!/bin/sh
# Installs the AWS SDK for JavaScript v3, in the versions that
# test/conformance/javascript/package-lock.json pins, in .tools/javascript.
# Does nothing if it is there. Prints that folder.
set -eu
cd "$(dirname "$0")/.."
pins=$PWD/test/conformance/javascript
folder=$PWD/.tools/javascript

if cmp -s "$pins/package-lock.json" "$folder/installed.json"; then
  echo "$folder"
  exit 0
fi
command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm are not installed" >&2; exit 1; }
node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || { echo "node 20 or newer is needed" >&2; exit 1; }
rm -rf "$folder"
mkdir -p "$folder"
cp "$pins/package.json" "$pins/package-lock.json" "$folder/"
(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund >&2)
cp "$pins/package-lock.json" "$folder/installed.json"
echo "$folder"
