#!/bin/sh
# Makes one instance of a web site in its environment's folder: a port, a first
# page, and a script that serves it. Running it again keeps port and releases.
set -eu
. ./inputs.sh
. ./place.sh

if [ ! -d "$network/ports" ]; then
  echo "$network is gone: deploy environment $(input environment.name) again" >&2
  exit 1
fi
if [ -e "$place" ] && [ "$(cat "$place/owner" 2>/dev/null)" != "$RESOURCE_ARN" ]; then
  echo "$place is there already and does not belong to this instance" >&2
  exit 1
fi
mkdir -p "$place/releases/welcome"
printf '%s\n' "$RESOURCE_ARN" >"$place/owner"

# A port is taken by making a folder of its number: of two instances that deploy
# at the same time, one succeeds and the other tries the next.
take_port() {
  _port=$(input environment.outputs.FirstPort)
  _last=$(input environment.outputs.LastPort)
  while [ "$_port" -le "$_last" ]; do
    if mkdir "$network/ports/$_port" 2>/dev/null; then
      printf '%s\n' "$RESOURCE_ARN" >"$network/ports/$_port/owner"
      echo "$_port"
      return 0
    fi
    _port=$((_port + 1))
  done
  echo "all ports of environment $(input environment.name) are taken: raise its port_count" >&2
  return 1
}
port=$(cat "$place/port" 2>/dev/null) || port=$(take_port)
printf '%s\n' "$port" >"$place/port"

html() { printf '%s' "$1" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; }

colors='background: #ffffff; color: #1c2430'
if [ "$(input service_instance.inputs.theme)" = dark ]; then
  colors='background: #1c2430; color: #f4f6fa'
fi
greeting=$(input service_instance.inputs.greeting)
if [ "$(input service_instance.inputs.maintenance)" = true ]; then
  greeting="Closed for maintenance"
fi
{
  echo '<!doctype html>'
  echo '<html lang="en"><head><meta charset="utf-8">'
  echo "<title>$(html "$name")</title>"
  echo "<style>body { font: 18px/1.6 system-ui, sans-serif; margin: 15vh auto; max-width: 40em; padding: 0 1em; $colors } a { color: inherit }</style>"
  echo '</head><body>'
  echo "<h1>$(html "$greeting")</h1>"
  echo "<p>Instance $(html "$name") of service $(html "$service"), stage $(html "$(input environment.outputs.Stage)").</p>"
  input_list service_instance.inputs.links | while IFS= read -r link; do
    echo "<p><a href=\"$(html "$link")\">$(html "$link")</a></p>"
  done
  echo '</body></html>'
} >"$place/releases/welcome/index.html"

# "site" is what is shown: the welcome page until the pipeline brings a release.
# Something that is closed shows the welcome page in any case.
if [ ! -e "$place/site" ] || [ "$(input service_instance.inputs.maintenance)" = true ]; then
  ln -sfn releases/welcome "$place/site"
elif [ "$(readlink "$place/site")" = releases/welcome ] && [ -s "$place/current" ]; then
  ln -sfn "$(cat "$place/current")" "$place/site" # the maintenance is over
fi

{
  echo "address=$(input environment.outputs.Address)"
  echo "port=$port"
  echo "name=$service.$(input environment.outputs.SearchDomain)"
  echo "cache_seconds=$(input service_instance.inputs.cache_seconds)"
} >"$place/server.conf"
cat "$place/server.conf"
cp -f serve.sh "$place/serve.sh"
chmod 755 "$place/serve.sh"

{
  echo '['
  output Url "$(file_url "$place/site/index.html")" ,
  output Address "$(input environment.outputs.Address):$port" ,
  output Place "$place"
  echo ']'
} >proton-outputs.json
