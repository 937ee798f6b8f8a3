#!/bin/sh
# Makes the environment. It runs for every deployment, so it must be right to run
# it again. It needs jq.
set -eu
folder=$(jq -er .environment.inputs.folder proton-inputs.json)
stage=$(jq -er .environment.inputs.stage proton-inputs.json)

mkdir -p "$folder"
printf '%s\n' "$stage" >"$folder/stage"

# Outputs are what services of this environment get: environment.outputs.Folder.
jq -n --arg folder "$folder" '[{key: "Folder", valueString: $folder}]' >proton-outputs.json
