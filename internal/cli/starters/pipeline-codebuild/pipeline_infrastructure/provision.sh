#!/bin/sh
# Makes the pipeline: here, a script that brings a page to every instance. A
# pipeline is deployed after the instances and knows their inputs and outputs; one
# that was never deployed has no outputs. It needs jq.
set -eu
script=$(jq -er .pipeline.inputs.script proton-inputs.json)

mkdir -p "$(dirname "$script")"
{
  echo '#!/bin/sh'
  echo 'set -eu'
  jq -r '.service_instances[].outputs.Page // empty | @sh "cp \"$1\" \(.)"' proton-inputs.json
} >"$script"
chmod 755 "$script"

jq -n --arg script "$script" '[{key: "DeployScript", valueString: $script}]' >proton-outputs.json
