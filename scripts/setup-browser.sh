#!/bin/sh
# Makes what the browser tests need: Node packages as test/browser/package-lock.json
# pins them, in .tools/browser, and a Chromium, Debian's if none is installed.
# Prints the folder of the packages and the browser's program.
set -eu
cd "$(dirname "$0")/.."
tools=$PWD/.tools/browser
lock=$PWD/test/browser/package-lock.json

find_browser() {
  for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    if [ -n "$name" ] && command -v "$name" 2>/dev/null; then return 0; fi
  done
  return 1
}

command -v node >/dev/null && command -v npm >/dev/null || { echo "Node.js with npm is not installed" >&2; exit 1; }
if ! cmp -s "$lock" "$tools/installed.json"; then
  rm -rf "$tools"
  mkdir -p "$tools"
  cp test/browser/package.json "$lock" "$tools"
  (cd "$tools" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2)
  cp "$lock" "$tools/installed.json"
fi
if ! find_browser >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium; } >&2 || true
fi
browser=$(find_browser) || { echo "no Chromium is installed, and it could not be" >&2; exit 1; }
echo "$tools/node_modules"
echo "$browser"
