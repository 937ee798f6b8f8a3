#!/bin/sh
# Runs a PostgreSQL of its own in a new folder until standard input ends, then
# stops it and removes the folder: a test that dies leaves nothing behind. Once
# the server answers, its URL is the only line printed. Arguments are settings,
# as in "fsync=on". A line "fast 2" or "immediate 2" on standard input stops the
# server in that way of pg_ctl and starts it again after 2 s, which prints the URL
# again.
#
# Not for data that matters: it does not wait for the disk.
set -eu
bin=$("$(dirname "$0")/setup-postgres.sh")
dir=$(mktemp -d /tmp/hadron-postgres.XXXXXX)
as=
if [ "$(id -u)" = 0 ]; then # PostgreSQL refuses root
  user=$(id -nu postgres 2>/dev/null || echo nobody)
  chown "$user" "$dir"
  as="setpriv --reuid=$user --regid=$(id -g "$user") --clear-groups"
fi
trap 'rm -rf "$dir"' EXIT
trap '' INT TERM # the end of standard input ends it
$as "$bin/initdb" -D "$dir/data" -U hadron --auth=trust --encoding=UTF8 --locale=C --no-sync >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
settings="-c fsync=off -c full_page_writes=off -c max_connections=400 -c shared_buffers=64MB -c listen_addresses= -c unix_socket_directories=$dir"
for s in "$@"; do settings="$settings -c $s"; done
start() {
  # shellcheck disable=SC2086
  $as "$bin/postgres" -D "$dir/data" $settings >>"$dir/log" 2>&1 </dev/null &
  server=$!
  for _ in $(seq 600); do
    if "$bin/pg_isready" -q -h "$dir" 2>/dev/null; then
      echo "postgres://hadron@/postgres?host=$dir"
      return
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.05
  done
  cat "$dir/log" >&2
  exit 1
}
start
while read -r mode seconds; do
  case $mode in
    fast) kill -INT "$server" ;;
    immediate) kill -QUIT "$server" ;;
    *) continue ;;
  esac
  wait "$server" || true
  sleep "$seconds"
  start
done
kill -INT "$server" 2>/dev/null || true
wait "$server" || true
