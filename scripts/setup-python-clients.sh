#!/bin/sh
# Makes what tests need of Python, in the versions of scripts/python-clients.txt,
# in .tools/python: boto3 and the AWS CLI, which the conformance tests drive, and
# Jinja2, which templates are compared with. Does nothing if they are there. Where the package index cannot be reached it falls
# back to the distribution's packages. Prints the folder with python3 and aws.
set -eu
cd "$(dirname "$0")/.."
pins=$PWD/scripts/python-clients.txt
venv=$PWD/.tools/python

works() { "$1/python3" -c 'import boto3' >/dev/null 2>&1 && "$1/aws" --version >/dev/null 2>&1; }

if cmp -s "$pins" "$venv/installed.txt" && works "$venv/bin"; then
  echo "$venv/bin"
  exit 0
fi
command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 1; }
rm -rf "$venv"
mkdir -p "$(dirname "$venv")"
if python3 -m venv "$venv" >&2 && "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins" >&2; then
  cp "$pins" "$venv/installed.txt"
  echo "$venv/bin"
  exit 0
fi
rm -rf "$venv"

echo "the pinned packages could not be installed; trying the distribution's" >&2
if ! works /usr/bin && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-boto3 awscli >&2 || true
fi
if works /usr/bin; then
  echo /usr/bin
  exit 0
fi
echo "neither the package index nor the distribution has boto3 and the AWS CLI" >&2
exit 1
