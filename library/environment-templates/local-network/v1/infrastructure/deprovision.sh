#!/bin/sh
# Removes what provision.sh made, and nothing else. Running it twice is fine.
set -eu
. ./inputs.sh

network=$(input environment.inputs.state_dir)/environments/$(input environment.name)
if [ ! -e "$network" ]; then
  echo "$network is gone already"
  exit 0
fi
if [ "$(cat "$network/owner" 2>/dev/null)" != "$RESOURCE_ARN" ]; then
  echo "$network does not belong to this environment and is left alone"
  exit 0
fi
rm -rf "$network"
# The folders above it go only if nothing else is in them.
rmdir "${network%/*}" 2>/dev/null || true
echo "removed $network"
