#!/bin/sh
# Removes the environment, and nothing that somebody else put there.
set -eu
folder=$(jq -er .environment.inputs.folder proton-inputs.json)
rm -f "$folder/stage"
rmdir "$folder" || echo "$folder is left: it is not empty"
