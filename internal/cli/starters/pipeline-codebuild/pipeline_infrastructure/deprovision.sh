#!/bin/sh
# Removes the pipeline.
set -eu
rm -f "$(jq -er .pipeline.inputs.script proton-inputs.json)"
