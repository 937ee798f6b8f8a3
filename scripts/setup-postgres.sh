#!/bin/sh
# Finds PostgreSQL's server programs, and installs the distribution's if there
# are none and this is root. Prints the folder with initdb and postgres.
set -eu
find_programs() {
  for bin in "${HADRON_POSTGRES_BIN:-}" $(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin 2>/dev/null | sort -V -r) $(dirname "$(command -v postgres || echo /none/x)"); do
    [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && echo "$bin" && return 0
  done
  return 1
}
find_programs && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  apt-get update -qq >&2 && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends postgresql >&2 || true
fi
find_programs && exit 0
echo "PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)" >&2
exit 1
