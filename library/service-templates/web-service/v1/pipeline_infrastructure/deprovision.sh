#!/bin/sh
# Removes the deploy script and what belongs to it. Running it twice is fine.
set -eu
. ./inputs.sh

dir=$(input pipeline.inputs.deploy_dir)
if [ "$(cat "$dir/owner" 2>/dev/null)" = "$RESOURCE_ARN" ]; then
  rm -rf "$dir"
  echo "removed $dir"
elif [ -e "$dir" ]; then
  echo "$dir does not belong to this pipeline and is left alone"
else
  echo "$dir is gone already"
fi
