#!/usr/bin/env bash
# Builds Helm, which lints the chart, from its pinned module into .tools, and
# prints its path. Needs Go; the first time takes minutes.
set -euo pipefail
version=v3.21.4
cd "$(dirname "$0")/.."
folder=$PWD/.tools/helm-$version
if [ ! -x "$folder/helm" ]; then
  mkdir -p "$folder"
  (cd / && GOBIN="$folder" GOFLAGS= CGO_ENABLED=0 go install -ldflags '-s -w' "helm.sh/helm/v3/cmd/helm@$version" >&2)
fi
echo "$folder/helm"
