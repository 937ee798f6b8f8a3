#!/bin/sh
# Serves this instance's site until it is stopped: ./serve.sh
set -eu
cd "$(dirname "$0")"
value() { sed -n "s/^$1=//p" server.conf; }
address=$(value address)
port=$(value port)
echo "http://$address:$port/"
if command -v python3 >/dev/null; then
  exec python3 -m http.server "$port" --bind "$address" --directory site
elif command -v busybox >/dev/null; then
  exec busybox httpd -f -p "$address:$port" -h site
fi
echo "install python3 or busybox to serve the site, or open site/index.html" >&2
exit 1
