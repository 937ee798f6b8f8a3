#!/bin/sh
# Removes the instance, and nothing that somebody else put there.
set -eu
place=$(jq -er '.environment.outputs.Folder + "/" + .service_instance.name' proton-inputs.json)
rm -f "$place/index.html"
rmdir "$place" || echo "$place is left: it is not empty"
