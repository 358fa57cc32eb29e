#!/usr/bin/env bash
# Full-size VGG16 beside real Keras: are the pixels identical, how far apart are the features, how fast and how large is
# each. Prints the table that README carries. Needs Rust, Python 3 with venv, and 4 GB of disk; takes some minutes.
#
#   scripts/compare_with_keras.sh [NUMBER OF PHOTOS, 64 by default]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
photos=${1:-64}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --release --quiet --manifest-path "$here/../Cargo.toml"
python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet tensorflow-cpu pillow
target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$here/../Cargo.toml" |
  "$work/python/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

cd "$work"
"$work/python/bin/python" "$here/make_photos.py" --count "$photos" photos
"$target/release/vgg-wgpu" init
"$work/python/bin/python" "$here/compare_with_keras.py" "$target/release/vgg-wgpu" photos
