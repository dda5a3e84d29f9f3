#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Brings up one PoP in network namespaces (scripts/lib/pop.sh draws it), sends it traffic, breaks it, mends it.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
	cat <<-END
		usage: scripts/demo.sh [--keep | --down]   (as root)
		  --keep  leave the PoP up at the end and print what to try
		  --down  remove a PoP that was left up
	END
}

keep=no
case ${1:-} in
'') ;;
--keep) keep=yes ;;
--down) down=yes ;;
--help) usage; exit 0 ;;
--version) exec sed -n "s/.*version: '\([0-9.]*\)'.*/nearcast demo \1/p" meson.build ;;
*) usage >&2; exit 2 ;;
esac
[ "$(id -u)" -eq 0 ] || { echo "demo: run as root: it makes network namespaces" >&2; exit 1; }

scripts/setup
export POP=nearcast-demo POP_DIR=/run/nearcast-demo
. scripts/lib/pop.sh
if [ "${down:-no}" = yes ]; then pop_down; exit 0; fi
[ -d build ] || meson setup build >/dev/null
meson compile -C build

bold='' plain=''
[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m'
say() { printf '\n%s── %s%s\n' "$bold" "$*" "$plain"; }

finish() {
	local status=$?
	[ "$status" -eq 0 ] && [ "$keep" = yes ] && return
	if [ "$status" -ne 0 ]; then
		keep_logs=$(mktemp -d "${TMPDIR:-/tmp}/nearcast-demo.XXXXXX")
		cp "$POP_DIR"/*.log "$keep_logs" 2>/dev/null || true
		echo "demo: failed; the logs are in $keep_logs" >&2
	fi
	pop_down
}
trap finish EXIT

# page CLIENT URL: which backend answered
page() { pop_exec "$1" curl -sS --max-time 3 -o "$POP_DIR/page" -w '%header{x-backend}\n' "$2" 2>/dev/null || echo failed; }
who() { pop_exec "$1" kdig +short +timeout=1 +retry=1 @"$2" who.example.net TXT 2>/dev/null | tr -d '"' || echo failed; }

# row TITLE: who answered, a line each on stdin, to one row of the table
row() {
	sort | uniq -c | awk -v title="$1" '
		{ n[$2 == "" ? "failed" : $2] = $1 }
		END { printf "  %-26s %8d %8d %8d %8d\n", title, n["s1"], n["s2"], n["s3"], n["failed"] }'
}
head_row() { printf '  %-26s %8s %8s %8s %8s\n' "$1" s1 s2 s3 failed; }

answers() {
	local client
	head_row "answered by"
	for client in c1 c2; do
		for _ in $(seq 30); do page "$client" http://10.99.0.1/; done | row "$client HTTP  IPv4"
		for _ in $(seq 30); do page "$client" "http://[fd99::1]/"; done | row "$client HTTP  IPv6"
		for _ in $(seq 30); do who "$client" 10.99.0.1; done | row "$client DNS   IPv4"
		for _ in $(seq 30); do who "$client" fd99::1; done | row "$client DNS   IPv6"
	done
}

healthy() { pop_ctl edge1 --json backends | grep -c '"health": "up"'; }
is_healthy() { [ "$(healthy)" -eq "$1" ]; }

load() { # load SECONDS: requests, one connection each, failures counted
	local until=$((SECONDS + $1))
	while [ "$SECONDS" -lt "$until" ]; do page c1 http://10.99.0.1/; done
}

say "bringing up router, edge, three servers and two clients"
pop_up
pop_ctl edge1 status
say "the router's routes to the VIPs, learnt by BGP"
ip -n "$POP-router" route show 10.99.0.1
ip -n "$POP-router" -6 route show fd99::1

say "pages and DNS answers through the VIPs"
answers

say "server s2's nginx dies under load: new connections one after another, checks every 300 ms, down after two"
load 8 >"$POP_DIR/load.txt" &
loader=$!
sleep 2
pop_kill nginx s2 KILL
wait "$loader"
head_row "answered by"
row "c1, 8 s, s2 killed at 2 s" <"$POP_DIR/load.txt"
pop_ctl edge1 backends web
pop_start nginx s2
pop_wait 10 "s2 to be healthy again" is_healthy 6

say "draining the server of a running download: new connections go elsewhere, the download finishes"
pop_exec c1 curl -sS --limit-rate 20M -o /dev/null -D "$POP_DIR/headers" \
	-w '  download: %{http_code}, %{size_download} octets from %header{x-backend}\n' http://10.99.0.1/100MB &
download=$!
pop_wait 5 "the download to begin" grep -qi '^x-backend' "$POP_DIR/headers"
server=$(tr -d '\r' <"$POP_DIR/headers" | awk 'tolower($1) == "x-backend:" {print $2}')
pop_ctl edge1 backend drain "web/$server"
pop_ctl edge1 wait generation >/dev/null
head_row "answered by"
for _ in $(seq 60); do page c1 http://10.99.0.1/; done | row "c1 HTTP, $server drained"
wait "$download"
pop_ctl edge1 backend undrain "web/$server"

say "all servers go down: the VIPs are withdrawn, the router loses its routes"
for s in "${POP_SERVERS[@]}"; do pop_kill nginx "$s" KILL; pop_kill knot "$s" KILL; done
not_routed() { ! ip -n "$POP-router" route show 10.99.0.1 | grep -q 10.99 && ! ip -n "$POP-router" -6 route show fd99::1 | grep -q fd99; }
pop_wait 10 "the withdrawal" not_routed
pop_ctl edge1 vips
echo "  routes at the router: none"

say "and come back"
for s in "${POP_SERVERS[@]}"; do pop_start nginx "$s"; pop_start knot "$s"; done
pop_wait 15 "the announcement" pop_routed
answers

if [ "$keep" = yes ]; then
	say "the PoP stays up; try"
	cat <<-END
		  build/ctl/nearcastctl --socket $POP_DIR/edge1.control status        (services, backends, vips, bgp, workers, drops)
		  build/ctl/nearcastctl --socket $POP_DIR/edge1.control backend drain web/s1
		  ip netns exec $POP-c1 curl -i http://10.99.0.1/
		  ip netns exec $POP-router birdc -s $POP_DIR/bird.ctl show protocols
		  scripts/demo.sh --down
	END
fi
