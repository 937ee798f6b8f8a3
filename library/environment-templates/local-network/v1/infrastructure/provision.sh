#!/bin/sh
# Makes the network: a folder that services find their ports and places in.
# Running it again changes nothing but what the inputs changed.
set -eu
. ./inputs.sh

name=$(input environment.name)
state_dir=$(input environment.inputs.state_dir)
first_port=$(input environment.inputs.first_port)
port_count=$(input environment.inputs.port_count)
last_port=$((first_port + port_count - 1))
address=127.0.0.1
if [ "$(input environment.inputs.reachable)" = true ]; then
  address=0.0.0.0
fi

network=$state_dir/environments/$name
# The file "owner" says whose folder it is: what belongs to somebody else is
# neither used here nor removed by deprovision.sh.
if [ -e "$network" ] && [ "$(cat "$network/owner" 2>/dev/null)" != "$RESOURCE_ARN" ]; then
  echo "$network is there already and does not belong to this environment: choose another state_dir, or remove it" >&2
  exit 1
fi
mkdir -p "$network"
printf '%s\n' "$RESOURCE_ARN" >"$network/owner"
mkdir -p "$network/ports" "$network/services"

{
  echo "name=$name"
  echo "stage=$(input environment.inputs.stage)"
  echo "address=$address"
  echo "ports=$first_port-$last_port"
  # A list comes as one line for each of its items.
  input_list environment.inputs.search_domains | while IFS= read -r domain; do
    echo "search=$domain"
  done
} >"$network/network.conf"
cat "$network/network.conf"

# Outputs are what services of this environment are given. Hadron reads them from
# this file after the last command; "aws proton
# notify-resource-deployment-status-change" is the other way.
{
  echo '['
  output NetworkDir "$network" ,
  output Address "$address" ,
  output FirstPort "$first_port" ,
  output LastPort "$last_port" ,
  output Stage "$(input environment.inputs.stage)" ,
  output SearchDomain "$(input 'environment.inputs.search_domains[0]' localhost)"
  echo ']'
} >proton-outputs.json
