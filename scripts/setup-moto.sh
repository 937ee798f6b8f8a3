#!/bin/sh
# Installs moto, a fake AWS by other people that tests run deployments against,
# in the versions of scripts/moto.txt, in .tools/moto. Does nothing if it is
# there. Prints its Python.
set -eu
cd "$(dirname "$0")/.."
pins=$PWD/scripts/moto.txt
venv=$PWD/.tools/moto

if cmp -s "$pins" "$venv/installed.txt" && "$venv/bin/python3" -c 'import moto.server' >/dev/null 2>&1; then
  echo "$venv/bin/python3"
  exit 0
fi
command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 1; }
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
python3 -m venv "$venv" >&2
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-compile --requirement "$pins" >&2
cp "$pins" "$venv/installed.txt"
echo "$venv/bin/python3"
