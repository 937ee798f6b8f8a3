#!/bin/sh
# Makes the pipeline: a script that brings a release to every instance, in the
# order of the spec.
set -eu
. ./inputs.sh

dir=$(input pipeline.inputs.deploy_dir)
if [ -e "$dir" ] && [ "$(cat "$dir/owner" 2>/dev/null)" != "$RESOURCE_ARN" ]; then
  echo "$dir is there already and does not belong to this pipeline: choose another deploy_dir" >&2
  exit 1
fi
mkdir -p "$dir"
printf '%s\n' "$RESOURCE_ARN" >"$dir/owner"
cp -f deploy.sh "$dir/deploy.sh"
chmod 755 "$dir/deploy.sh"
{
  echo "on_failure=$(input pipeline.inputs.on_failure)"
  echo "keep_releases=$(input pipeline.inputs.keep_releases)"
  echo "require_index=$(input pipeline.inputs.require_index)"
} >"$dir/pipeline.conf"

# One line for each instance: its name, tab, its folder.
count=$(input_count service_instances)
n=0
while [ "$n" -lt "$count" ]; do
  instance=service_instances[$n]
  if place=$(input "$instance.outputs.Place" 2>/dev/null); then
    printf '%s\t%s\n' "$(input "$instance.name")" "$place"
  else
    echo "instance $(input "$instance.name") has no outputs yet and gets no releases" >&2
  fi
  n=$((n + 1))
done >"$dir/targets"
cat "$dir/targets"

{
  echo '['
  output DeployCommand "$dir/deploy.sh" ,
  output Targets "$(wc -l <"$dir/targets" | tr -d ' ')"
  echo ']'
} >proton-outputs.json
