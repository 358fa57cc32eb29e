#!/bin/sh
# Loads features.pkl with every Python 3.8 or later on this machine, each with the oldest and the newest NumPy that has
# a wheel for it: runs tests/pickle_python.rs in throw-away environments and prints a table. Needs pip and a network.
#
#   tests/python_matrix.sh [PYTHON...]        default: those of pyenv, and python3
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

[ $# -gt 0 ] || set -- "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python /usr/bin/python3
cargo test -q --no-run --test pickle_python

version_of() { "$1" -c 'import platform; print(platform.python_version())'; }
numpy_of() { "$1" -c 'import numpy; print(numpy.__version__)'; }

# The first NumPy with a wheel for each Python (3.8 has older ones; the features are promised from 1.19 on).
oldest_numpy() {
    case $1 in
        3.8.*) echo 1.19.0 ;; 3.9.*) echo 1.19.3 ;; 3.10.*) echo 1.21.2 ;; 3.11.*) echo 1.23.2 ;;
        3.12.*) echo 1.26.0 ;; 3.13.*) echo 2.1.0 ;; 3.14.*) echo 2.3.2 ;; *) echo '' ;;
    esac
}

failures=0
printf '%-10s %-10s %s\n' Python NumPy Result
for python in "$@"; do
    [ -x "$python" ] || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 8))' || continue
    version=$(version_of "$python")
    oldest=$(oldest_numpy "$version")
    for requirement in ${oldest:+"numpy==$oldest"} numpy; do
        rm -rf "$work/venv"
        numpy=$requirement
        if "$python" -m venv "$work/venv" >"$work/log" 2>&1 &&
            "$work/venv/bin/pip" install -q --only-binary :all: "$requirement" >>"$work/log" 2>&1 &&
            numpy=$(numpy_of "$work/venv/bin/python") &&
            VGG_WGPU_PYTHON="$work/venv/bin/python" cargo test -q --test pickle_python >>"$work/log" 2>&1; then
            result=ok
        else
            result=FAILED
            failures=$((failures + 1))
        fi
        printf '%-10s %-10s %s\n' "$version" "$numpy" "$result"
        [ "$result" = ok ] || sed 's/^/    /' "$work/log"
    done
done
[ "$failures" -eq 0 ]
