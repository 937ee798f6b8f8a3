#!/bin/sh
# Makes what the tests of commands in containers need: Podman, Debian's if none is
# installed, with a store of its own in .tools/container, and there an image that
# has nothing but Busybox, made here. Prints the program to call and the image.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .tools/container
folder=$(cd .tools/container && pwd -P)
image=localhost/hadron-test:1

find_busybox() { command -v busybox 2>/dev/null || [ ! -x /bin/busybox ] || echo /bin/busybox; }
missing=
command -v podman >/dev/null || missing="podman"
command -v runc >/dev/null || missing="$missing runc"
[ -n "$(find_busybox)" ] && ! ldd "$(find_busybox)" >/dev/null 2>&1 || missing="$missing busybox-static"
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  # shellcheck disable=SC2086 # words
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing; } >&2
fi
command -v podman >/dev/null && [ -n "$(find_busybox)" ] || { echo "Podman or a static Busybox is not installed" >&2; exit 1; }

exec 9> "$folder/lock"
flock 9
# Podman's store knows its own path: one that was moved is made anew.
if [ "$(cat "$folder/at" 2>/dev/null)" != "$folder" ]; then
  rm -rf "$folder/root" "$folder/run"
  echo "$folder" > "$folder/at"
fi
cat > "$folder/podman" <<SCRIPT
#!/bin/sh
exec podman --root '$folder/root' --runroot '$folder/run' --storage-driver vfs --cgroup-manager cgroupfs --runtime runc "\$@"
SCRIPT
chmod +x "$folder/podman"
if ! "$folder/podman" image exists "$image" 2>/dev/null; then
  root=$(mktemp -d)
  trap 'rm -rf "$root"' EXIT
  mkdir "$root/bin" "$root/etc" "$root/tmp"
  cp "$(find_busybox)" "$root/bin/busybox"
  for name in $("$root/bin/busybox" --list); do [ "$name" = busybox ] || ln -s busybox "$root/bin/$name"; done
  tar -C "$root" -c . | "$folder/podman" import - "$image" >&2
fi
# Machines that allow no containers say so here.
"$folder/podman" run --rm --network=none --ulimit=nofile=1024:1024 --ulimit=nproc=4096:4096 "$image" true >&2
echo "$folder/podman"
echo "$image"
