#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measurements. Builds what it needs in build-bench/ (optimised), prints a table, and writes JSON when asked.
#
#   scripts/bench.sh allocate [--json FILE]
set -eu

usage() {
	echo "usage: scripts/bench.sh allocate [--json FILE]"
	echo "  allocate  evenness, needless moves and compile times of slot tables, stable and Maglev"
}

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-bench
case ${1:-} in
allocate)
	bench=$1
	shift
	;;
-h | --help)
	usage
	exit 0
	;;
*)
	usage >&2
	exit 2
	;;
esac

case $#:${1:-} in
0:) ;;
2:--json) ;;
*)
	usage >&2
	exit 2
	;;
esac

[ -d "$build" ] || meson setup --buildtype=release -Db_ndebug=false "$build" "$root" >&2
ninja -C "$build" "tests/bench/bench-$bench" >&2
commit=$(git -C "$root" describe --always --dirty 2>&1) || commit=unknown
"$build/tests/bench/bench-$bench" --commit "$commit" "$@"
