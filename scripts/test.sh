#!/usr/bin/env bash
# Installs what the tests need where it is missing, and runs them all. Arguments go to cargo test.
#
# Debian and Ubuntu: a Vulkan driver for the CPU (Mesa's lavapipe) and Python's venv come from apt, as root or by sudo.
# Elsewhere they must be there. Two NumPys, an old and a new one, go into virtual environments below the target folder.
set -euo pipefail
cd "$(dirname "$0")/.."

apt_install() {
  command -v apt-get >/dev/null || { echo "needed for the tests: $*" >&2; exit 1; }
  local sudo=; [ "$(id -u)" = 0 ] || sudo=sudo
  $sudo apt-get update -q
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "$@"
}

vulkan_driver() { compgen -G '/usr/share/vulkan/icd.d/*.json' >/dev/null || compgen -G '/etc/vulkan/icd.d/*.json' >/dev/null; }
if [ "$(uname)" = Linux ] && ! vulkan_driver; then apt_install mesa-vulkan-drivers; fi
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then apt_install python3 python3-venv; fi

numpy_python() { # NAME REQUIREMENT
  local python="target/python/$1/bin/python"
  if ! "$python" -c 'import numpy' 2>/dev/null; then
    python3 -m venv --clear "target/python/$1"
    "$python" -m pip install --quiet --only-binary :all: "$2"
  fi
  echo "$PWD/$python"
}
old=$(numpy_python old 'numpy<2')
new=$(numpy_python new 'numpy>=2')
# Without a desktop session, a layer of Mesa's complains about that at every test.
export NODEVICE_SELECT=1

VGG_WGPU_PYTHON="$old" cargo test "$@"
VGG_WGPU_PYTHON="$new" cargo test --test pickle_python "$@"
