#!/usr/bin/env bash
# VGG16 up to fc2 by this program and by others in turns, on the same photos with the same weights: ncnn, ONNX Runtime and
# Keras. Checks that the features agree and prints the table that README carries. Needs Rust, Python 3 with venv, 5 GB of
# disk, and 12 GB of memory because all models stay loaded. Takes most of an hour on 2 cores without a GPU.
#
#   scripts/compare_with_peers.sh [--photos 200] [--rounds 5] [--only NAME,..]
set -euo pipefail
source "$(dirname "$0")/comparison.sh"

set_up tensorflow-cpu pillow ncnn onnx onnxruntime
# Without a desktop session, a layer of Mesa's complains about that. TensorFlow has much to say of itself.
NODEVICE_SELECT=1 TF_CPP_MIN_LOG_LEVEL=3 "$python" "$here/compare_with_peers.py" "$program" "$@"
