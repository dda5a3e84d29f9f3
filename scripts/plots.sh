#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The plots of docs/performance.md, from what scripts/bench.sh pipeline --json FILE wrote.
set -eu

version=0.1.0
usage="usage: scripts/plots.sh FILE.json DIR
  DIR/flows.svg  ns a packet against the number of flows
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

# One file for each line of the plot: flows, ns, lowest, highest.
python3 - "$1" "$work" <<'END'
import json
import sys

head, *rows = json.load(open(sys.argv[1]))
same = {"encap": "ipip", "kind": "tcp", "burst": 32, "services": 1, "backends": 100, "cache": "warm"}
lines = {"stable4": (4, "stable", "flow", 64), "stable6": (6, "stable", "flow", 78),
         "moving": (4, "moving", "flow", 64), "tracked": (4, "stable", "tracked", 64)}
for name, (family, slots, affinity, frame) in lines.items():
    wanted = {**same, "family": family, "slots": slots, "affinity": affinity, "frame": frame}
    with open(f"{sys.argv[2]}/{name}", "w") as out:
        for row in rows:
            if all(row[k] == v for k, v in wanted.items()):
                print(row["flows"], row["ns"], row["ns_min"], row["ns_max"], file=out)
with open(f"{sys.argv[2]}/machine", "w") as out:
    print(head["machine"], end="", file=out)
END

gnuplot <<END
set terminal svg size 760,420 font "sans-serif,13" background "white"
set output "$2/flows.svg"
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
END
