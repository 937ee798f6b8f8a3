#!/bin/sh
# Makes an instance. It runs for every deployment, so it must be right to run it
# again. It needs jq.
set -eu
greeting=$(jq -er .service_instance.inputs.greeting proton-inputs.json)
place=$(jq -er '.environment.outputs.Folder + "/" + .service_instance.name' proton-inputs.json)

mkdir -p "$place"
printf '%s\n' "$greeting" >"$place/index.html"

# Outputs are shown with the instance, and given to the pipeline.
jq -n --arg page "$place/index.html" '[{key: "Page", valueString: $page}]' >proton-outputs.json
