#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The plots of docs/performance.md, from what scripts/bench.sh pipeline and pktgen wrote with --json FILE.
set -eu

version=0.1.0
usage="usage: scripts/plots.sh FILE.json DIR
  of pipeline: DIR/flows.svg    ns a packet against the number of flows
  of pktgen:   DIR/latency.svg  latency against load, for each path
  --version, --help"

case ${1:-} in
--help) echo "$usage"; exit 0 ;;
--version) echo "plots.sh $version"; exit 0 ;;
esac
[ $# -eq 2 ] && [ -r "$1" ] && [ -d "$2" ] || {
	echo "plots.sh: a file that can be read and a folder are needed" >&2
	echo "$usage" >&2
	exit 2
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# One file for each line of the plot. flows: flows, ns, lowest, highest; latency: Mpps, p50, p99, p99.9.
bench=$(python3 - "$1" "$work" <<'END2'
import json
import sys

head, *rows = json.load(open(sys.argv[1]))
same = {"encap": "ipip", "kind": "tcp"}
lines = {
    "stable4": {"family": 4, "slots": "stable", "affinity": "flow", "frame": 64},
    "stable6": {"family": 6, "slots": "stable", "affinity": "flow", "frame": 78},
    "moving": {"family": 4, "slots": "moving", "affinity": "flow", "frame": 64},
    "tracked": {"family": 4, "slots": "stable", "affinity": "tracked", "frame": 64},
    "memif": {"family": 4, "path": "memif", "during": "quiet"},
    "af_xdp": {"family": 4, "path": "af_xdp", "during": "quiet"},
}
fixed = {"pipeline": {"burst": 32, "services": 1, "backends": 100, "cache": "warm"}, "pktgen": {}}
figures = {"pipeline": ("flows", "ns", "ns_min", "ns_max"), "pktgen": ("mpps", "p50_us", "p99_us", "p999_us")}
bench = rows[0]["bench"]
for name, wanted in lines.items():
    with open(f"{sys.argv[2]}/{name}", "w") as out:
        for row in rows:
            if all(row.get(key) == value for key, value in {**same, **fixed[bench], **wanted}.items()):
                print(*(row[key] for key in figures[bench]), file=out)
with open(f"{sys.argv[2]}/machine", "w") as out:
    print(head["machine"], end="", file=out)
print(bench)
END2
)

plot_flows() {
	gnuplot <<-END3
	set terminal svg size 760,420 font "sans-serif,13" background "white"
	set output "$1/flows.svg"
	set title "ns a packet on one core, 64-octet frames, bursts of 32 ($(cat "$work/machine"))" font ",11"
	set logscale x
	set format x "10^{%L}"
	set xlabel "flows, in random order"
	set ylabel "ns a packet"
	set xrange [0.8:1.3e7]
	set yrange [0:50]
	set grid ytics lc rgb "#dddddd"
	set key top left
	plot "$work/moving" using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.5 title "all slots moving", \
	     "$work/tracked" using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.5 title "affinity: tracked", \
	     "$work/stable6" using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.5 title "IPv6 in IPv6, stable", \
	     "$work/stable4" using 1:2:3:4 with yerrorlines lw 2 pt 7 ps 0.5 title "IPv4 in IPv4, stable"
	END3
}

plot_latency() {
	gnuplot <<-END3
	set terminal svg size 860,420 font "sans-serif,13" background "white"
	set output "$1/latency.svg"
	set multiplot layout 1,2 title "from generator to generator, up to the zero-loss rate ($(cat "$work/machine"))" font ",11"
	set logscale y
	set format y "%g"
	set xlabel "load, Mpps"
	set ylabel "latency, us"
	set yrange [0.1:10000]
	set xrange [0:*]
	set grid ytics lc rgb "#dddddd"
	set key top left
	do for [path in "memif af_xdp"] {
		set title path noenhanced
		plot "$work/".path using 1:4 with linespoints lw 2 pt 7 ps 0.5 title "p99.9", \
		     "$work/".path using 1:3 with linespoints lw 2 pt 7 ps 0.5 title "p99", \
		     "$work/".path using 1:2 with linespoints lw 2 pt 7 ps 0.5 title "p50"
	}
	unset multiplot
	END3
}

case $bench in
pipeline) plot_flows "$2" ;;
pktgen) plot_latency "$2" ;;
*) echo "plots.sh: $1: no plot of $bench" >&2; exit 1 ;;
esac
