#!/usr/bin/env bash
# Builds a release into dist/: the program for each platform (or those named as
# arguments, as linux/amd64), SHA256SUMS, what each is made of as a CycloneDX
# SBOM, and the licences of all modules in it. The same commit and Go version
# give the same bytes, whatever the machine and folder. Needs Go and git.
set -euo pipefail
cd "$(dirname "$0")/.."
cyclonedx=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.9.0
platforms=("$@")
[ ${#platforms[@]} -gt 0 ] || platforms=(linux/amd64 linux/arm64 darwin/amd64 darwin/arm64)
version=$(git describe --tags --always --dirty)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

rm -rf dist
mkdir -p dist
for platform in "${platforms[@]}"; do
  name=hadron_${version}_${platform/\//_}
  echo "building $name" >&2
  GOOS=${platform%/*} GOARCH=${platform#*/} CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false \
    -ldflags "-s -w -buildid= -X github.com/hadronhq/hadron/internal/app.Version=$version" -o "dist/$name" ./cmd/hadron
  # The program itself says what was linked; serial number and time would differ each time.
  go run "$cyclonedx" bin -json -noserial -output "dist/$name.cdx.json" -version "$version" "dist/$name" >/dev/null
  sed -i.orig '/"timestamp":/d' "dist/$name.cdx.json" && rm "dist/$name.cdx.json.orig"
done
scripts/licences.sh save dist/licences
(cd dist && sha256sum hadron_* >SHA256SUMS)
echo "dist/ has release $version" >&2
