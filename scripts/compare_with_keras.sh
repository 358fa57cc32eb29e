#!/usr/bin/env bash
# Full-size VGG16 beside real Keras: are the pixels identical, how far apart are the features, how fast and how large is
# each. Prints the table that README carries. Needs Rust, Python 3 with venv, and 4 GB of disk; takes some minutes.
#
#   scripts/compare_with_keras.sh [NUMBER OF PHOTOS, 64 by default]
set -euo pipefail
source "$(dirname "$0")/comparison.sh"

set_up tensorflow-cpu pillow
"$python" "$here/make_photos.py" --count "${1:-64}" photos
"$python" "$here/compare_with_keras.py" "$program" photos
