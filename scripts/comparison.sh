# What comparisons with other programs begin with; to be sourced by them. Needs Rust and Python 3 with venv.
#
# set_up PACKAGE.. builds the program, makes a Python environment with the packages below target/ (the next run finds it
# there), and goes to a new folder beside it (deleted at exit) with full-size untrained weights. Sets $python and $program.
# Mesa's cache and this program's begin empty: what was compiled or measured under other conditions changes no figure.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

set_up() {
  local target
  cargo build --release --quiet --manifest-path "$here/../Cargo.toml"
  target=$(cargo metadata --no-deps --format-version 1 --manifest-path "$here/../Cargo.toml" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
  program=$target/release/vgg-wgpu
  python=$target/comparison/python/bin/python
  [ -x "$python" ] || python3 -m venv "$target/comparison/python"
  "$python" -m pip install --quiet --disable-pip-version-check "$@"

  work=$(mktemp -d "$target/comparison/work.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  export XDG_CACHE_HOME=$work/cache
  cd "$work"
  "$program" init
}
