#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Measurements. Builds what it needs in build-bench/ (optimised), prints a table, and writes JSON when asked.
set -eu

version=0.1.0
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-bench
pages=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
mib=768 # of huge pages, for mbufs and flow tables

usage() {
	cat <<-END
	usage: scripts/bench.sh allocate [--json FILE]
	       scripts/bench.sh pipeline [--json FILE] [--only KEY=VALUE,...] [--code NAME] [--cpu N]
	       scripts/bench.sh publish [--json FILE]
	       scripts/bench.sh guard [--json FILE] [--only case=NAME] [--cpu N]
	       scripts/bench.sh bgp [--json FILE]
	       scripts/bench.sh pktgen [--json FILE] [pktgen's options: see pktgen --help]
	  allocate  evenness, needless moves and compile times of slot tables, stable and Maglev
	  pipeline  ns a packet on one core, from mbufs in memory to mbufs ready to send; KEY is a column of the table
	  publish   what a new generation takes, and what the bursts of a worker that forwards meanwhile notice of it
	  guard     ns a packet with the guard, in peace and armed, and by the same packet path built without it
	  bgp       what a route costs the library; routes to and from BIRD and GoBGP over TCP; from a backend's death to the
	            router's loss of the route (in namespaces of its own; needs root, bird2 and gobgpd)
	  pktgen    throughput, loss and latency of the dataplane and its control plane as they are shipped, under the load of a
            generator, over memif and over veth with AF_XDP (in namespaces of its own; needs root and two CPUs)
  --json FILE   the same as an array of objects
	  --only ...    pipeline: only rows with these values
	  --code NAME   pipeline: base or x86-64-v3 (the best that the CPU can run)
	  --cpu N       pipeline, guard: the CPU to run on (the last one)
	  --version, --help
	END
}

wrong() {
	echo "bench.sh: $1" >&2
	usage >&2
	exit 2
}

# Asked of each benchmark: what its figures were taken on.
machine() {
	model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
	echo "${model:-$(uname -m)}, $(nproc) CPUs, $(uname -r)"
}

commit() {
	git -C "$root" describe --always --dirty 2>/dev/null || echo unknown
}

# Huge pages as on a real node; what was not there before is given back at the end.
reserve() {
	[ -w $pages ] || return 0
	before=$(cat $pages)
	free=$(sed -n 's/^HugePages_Free:[[:space:]]*//p' /proc/meminfo)
	[ $((free * 2)) -lt $mib ] || return 0
	trap 'echo $before >$pages' EXIT
	trap 'exit 130' INT TERM
	"$root/scripts/hugepages" --mount none $((before * 2 + mib)) >&2 || true
}

has_hugepages() {
	free=$(sed -n 's/^HugePages_Free:[[:space:]]*//p' /proc/meminfo)
	[ $((${free:-0} * 2)) -ge $mib ]
}

case ${1:-} in
allocate | pipeline | publish | guard | bgp | pktgen)
	bench=$1
	shift
	;;
--help) usage; exit 0 ;;
--version) echo "bench.sh $version"; exit 0 ;;
*) wrong "${1:-nothing}: no such benchmark" ;;
esac

cpu=$(($(nproc) - 1))
json=
only=
code=
while [ $# -gt 0 ] && [ "$bench" != pktgen ]; do
	[ $# -gt 1 ] || wrong "$1: unknown option, or its value is missing"
	case $bench:$1 in
	*:--json) json=$2 ;;
	pipeline:--only | guard:--only) only=$2 ;;
	pipeline:--code) code=$2 ;;
	pipeline:--cpu | guard:--cpu) cpu=$2 ;;
	*) wrong "$1: unknown option" ;;
	esac
	shift 2
done

[ -d "$build" ] || meson setup --buildtype=release -Db_ndebug=false "$build" "$root" >&2
case $bench in
bgp | pktgen) ninja --quiet -C "$build" >&2 ;; # all programs
*) ninja --quiet -C "$build" "tests/bench/bench-$bench" >&2 ;;
esac
set -- --machine "$(machine)" --commit "$(commit)" ${json:+--json "$json"} "$@"
if [ "$bench" != allocate ] && [ "$bench" != bgp ]; then
	reserve
	if has_hugepages; then
		set -- "$@" --huge
	else
		echo "bench.sh: no huge pages to be had: the figures will be worse than a node's" >&2
	fi
fi
if [ "$bench" = pktgen ] || [ "$bench" = bgp ]; then
	"$root/tests/bench/$bench.py" --build "$build" "$@"
elif [ "$bench" = pipeline ] || [ "$bench" = guard ]; then
	taskset -c "$cpu" "$build/tests/bench/bench-$bench" "$@" ${only:+--only "$only"} ${code:+--code "$code"}
else
	"$build/tests/bench/bench-$bench" "$@"
fi
