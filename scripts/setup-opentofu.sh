#!/bin/sh
# Makes the OpenTofu that tests run, in the version below, as .tools/opentofu/tofu,
# and prints its path. It is built from its Go module, whose checksums are
# verified; "go install" refuses it because its go.mod replaces a module. Left
# out are the state backends and key providers of clouds, which no test uses and
# which are almost half of the work. The first build on a machine takes some 200
# seconds of processor time, later ones (another checkout, a "make clean") a few.
# Does nothing if it is there.
set -eu
cd "$(dirname "$0")/.."
version=1.12.6
pin="$version without clouds"
folder=$PWD/.tools/opentofu
tofu=$folder/tofu

if [ "$(cat "$folder/version" 2>/dev/null)" = "$pin" ] && "$tofu" version >/dev/null 2>&1; then
  echo "$tofu"
  exit 0
fi
rm -rf "$folder"
mkdir -p "$folder"
trap 'chmod -R u+w "$folder/src" 2>/dev/null; rm -rf "$folder/src"' EXIT
module=$(cd "$folder" && GOWORK=off GOFLAGS=-mod=mod go mod download -json "github.com/opentofu/opentofu@v$version" |
  sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
[ -n "$module" ] || { echo "the Go module of OpenTofu $version could not be downloaded" >&2; exit 1; }
cp -R "$module" "$folder/src"
chmod -R u+w "$folder/src"
sed -i.orig '/backend\(Azure\|Consul\|Cos\|GCS\|Kubernetes\|OSS\|Pg\|S3\)[ .]/d' "$folder/src/internal/backend/init/init.go"
sed -i.orig -e '/keyprovider\/\(aws_kms\|azure_vault\|gcp_kms\|openbao\)"/d' \
  -e '/\(aws_kms\|azure_vault\|gcp_kms\|openbao\)\.New/,/^\t}/d' "$folder/src/internal/encryption/default_registry.go"
echo "building OpenTofu $version, which takes minutes the first time" >&2
(cd "$folder/src" && CGO_ENABLED=0 GOWORK=off GOFLAGS= go build -trimpath -o "$tofu" \
  -ldflags '-s -w -X github.com/opentofu/opentofu/version.dev=no' ./cmd/tofu) >&2
echo "$pin" >"$folder/version"
echo "$tofu"
