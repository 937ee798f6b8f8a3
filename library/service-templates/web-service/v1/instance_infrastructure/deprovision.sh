#!/bin/sh
# Removes what provision.sh made: the instance's folder with its releases, and its
# port. Running it twice is fine.
set -eu
. ./inputs.sh
. ./place.sh

mine() { [ "$(cat "$1/owner" 2>/dev/null)" = "$RESOURCE_ARN" ]; }

for port in "$network"/ports/*; do
  if mine "$port"; then
    rm -rf "$port"
  fi
done
if mine "$place"; then
  rm -rf "$place"
  rmdir "${place%/*}" 2>/dev/null || true
  echo "removed $place"
elif [ -e "$place" ]; then
  echo "$place does not belong to this instance and is left alone"
else
  echo "$place is gone already"
fi
