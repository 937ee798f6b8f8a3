#!/bin/sh
# Builds the runner of stories with the AWS SDK for Rust, in the versions that
# test/conformance/rust/Cargo.lock pins, in .tools/rust. What is built already
# is not built again. Prints the folder of the program, which is called story.
set -eu
cd "$(dirname "$0")/.."
folder=$PWD/.tools/rust
command -v cargo >/dev/null || { echo "cargo is not installed" >&2; exit 1; }
cd test/conformance/rust
CARGO_TARGET_DIR=$folder cargo build --locked --quiet >&2
echo "$folder/debug"
