#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# One PoP in network namespaces. Sourced by scripts/demo.sh; as a command it serves the end-to-end tests.
#
#    c1 ── 10.77.10.0/24 ──┐             ┌── edge1 .2, edge2 .3   nearcast
#    c2 ── 10.77.11.0/24 ──┤ router      │
#                          │ BIRD 2   br0├── s1 .11  s2 .12  s3 .13   nginx, Knot DNS, nearcast-backend
#                          └─ 10.77.1.1 ─┘
#                             10.77.1.0/24, fd77:1::/64
#
# The VIPs 10.99.0.1 and fd99::1 are routed to the edges by BGP; servers answer clients directly through the router.
# Everything lives in namespaces named POP-*, every process belongs to POP_DIR/*.pid; no address of the host is touched.
#
#   pop.sh up | down | start PROGRAM NODE | kill PROGRAM NODE [SIGNAL] | exec NODE COMMAND...
# Environment: POP (name prefix), POP_DIR (run directory), POP_EDGES (1 or 2), NEARCAST_BUILD, POP_CONFIG (template),
# POP_ENCAP, POP_BACKENDS (4 or 6: the family of their addresses), POP_QUEUES (of the edge's NIC), POP_DATAPLANE (options).

POP=${POP:-nearcast}
POP_DIR=${POP_DIR:-/run/nearcast-$POP}
POP_EDGES=${POP_EDGES:-1}
POP_ENCAP=${POP_ENCAP:-ipip}
POP_BACKENDS=${POP_BACKENDS:-4}
POP_QUEUES=${POP_QUEUES:-1}
POP_DATAPLANE=${POP_DATAPLANE:---port eth0=af_xdp,iface=eth0 --workers 1 --hugepages off}
POP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
NEARCAST_BUILD=${NEARCAST_BUILD:-$POP_ROOT/build}
POP_SERVERS=(s1 s2 s3)
POP_CLIENTS=(c1 c2)

pop_exec() { local node=$1; shift; ip netns exec "$POP-$node" "$@"; }

pop_edges() { local i; for ((i = 1; i <= POP_EDGES; i++)); do echo "edge$i"; done; }

pop_nodes() { echo router "${POP_CLIENTS[@]}" "${POP_SERVERS[@]}" $(pop_edges); }

# address NODE → the last number of its addresses on the PoP's LAN
pop_host() {
	case $1 in
	router) echo 1 ;;
	edge*) echo $((1 + ${1#edge})) ;;
	s*) echo $((10 + ${1#s})) ;;
	esac
}

# Without offloads: a frame leaves the sender with its checksum done and no larger than the MTU, as on a wire.
pop_wire() { ip netns exec "$1" ethtool -K "$2" tx off rx off gso off tso off gro off >>"$POP_DIR/setup.log" 2>&1 || true; }

pop_namespace() {
	local ns=$POP-$1
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
}

# pop_link NODE: its eth0 to the router's port-NODE
pop_link() {
	ip link add eth0 netns "$POP-$1" numrxqueues "$POP_QUEUES" numtxqueues "$POP_QUEUES" type veth \
		peer name "port-$1" netns "$POP-router" numrxqueues "$POP_QUEUES" numtxqueues "$POP_QUEUES"
	ip -n "$POP-$1" link set eth0 up
	ip -n "$POP-router" link set "port-$1" up
	pop_wire "$POP-$1" eth0
	pop_wire "$POP-router" "port-$1"
}

pop_lan() {
	local node=$1 host
	host=$(pop_host "$node")
	pop_link "$node"
	ip -n "$POP-router" link set "port-$node" master br0
	ip -n "$POP-$node" addr add "10.77.1.$host/24" dev eth0
	ip -n "$POP-$node" -6 addr add "fd77:1::$(printf %x "$host")/64" dev eth0 nodad
	ip -n "$POP-$node" route add default via 10.77.1.1
	ip -n "$POP-$node" -6 route add default via fd77:1::1
}

pop_network() {
	local node n
	for node in $(pop_nodes); do pop_namespace "$node"; done
	ip netns exec "$POP-router" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.fib_multipath_hash_policy=1 net.ipv6.fib_multipath_hash_policy=1
	ip -n "$POP-router" link add br0 type bridge mcast_snooping 0
	ip -n "$POP-router" link set br0 up
	pop_wire "$POP-router" br0
	ip -n "$POP-router" addr add 10.77.1.1/24 dev br0
	ip -n "$POP-router" -6 addr add fd77:1::1/64 dev br0 nodad
	for node in $(pop_edges) "${POP_SERVERS[@]}"; do pop_lan "$node"; done
	for node in "${POP_CLIENTS[@]}"; do
		n=1${node#c}
		n=$((n - 1))
		pop_link "$node"
		ip -n "$POP-router" addr add "10.77.$n.1/24" dev "port-$node"
		ip -n "$POP-router" -6 addr add "fd77:$n::1/64" dev "port-$node" nodad
		ip -n "$POP-$node" addr add "10.77.$n.100/24" dev eth0
		ip -n "$POP-$node" -6 addr add "fd77:$n::100/64" dev eth0 nodad
		ip -n "$POP-$node" route add default via "10.77.$n.1"
		ip -n "$POP-$node" -6 route add default via "fd77:$n::1"
	done
	for node in "${POP_SERVERS[@]}"; do
		ip -n "$POP-$node" addr add 10.99.0.1/32 dev lo
		ip -n "$POP-$node" -6 addr add fd99::1/128 dev lo nodad
	done
}

# pop_run NAME NODE COMMAND...: in the background, its id in NAME-NODE.pid, its output in NAME-NODE.log
pop_run() {
	local name=$1 node=$2
	shift 2
	ip netns exec "$POP-$node" setsid "$@" >>"$POP_DIR/$name-$node.log" 2>&1 </dev/null &
	echo $! >"$POP_DIR/$name-$node.pid"
	disown # the shell has nothing to say when it ends
}

# An ended process that init hasn't fetched yet is no running one.
pop_runs() { grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null; }

pop_kill() {
	local file=$POP_DIR/$1-$2.pid pid
	[ -s "$file" ] || return 0
	pid=$(cat "$file")
	# KILL takes the children too (nginx's workers); they are in the session that pop_run made.
	[ "${3:-TERM}" = KILL ] && kill -KILL -- "-$pid" 2>/dev/null
	kill "-${3:-TERM}" "$pid" 2>/dev/null || true
	for _ in $(seq 100); do
		pop_runs "$pid" || break
		sleep 0.05
	done
	rm -f "$file"
}

pop_bird_config() {
	local i
	echo 'router id 10.77.1.1;'
	echo 'log stderr all;'
	echo 'protocol device { scan time 1; }'
	echo 'protocol kernel kernel4 { ipv4 { export where source = RTS_BGP; import none; }; merge paths on; }'
	echo 'protocol kernel kernel6 { ipv6 { export where source = RTS_BGP; import none; }; merge paths on; }'
	for ((i = 1; i <= POP_EDGES; i++)); do
		cat <<-END
			protocol bgp edge$i {
			  local 10.77.1.1 as 65001;
			  neighbor 10.77.1.$((i + 1)) as 65010;
			  hold time 9;
			  connect retry time 1;
			  connect delay time 1;
			  error wait time 1, 2;
			  ipv4 { import where net ~ [ 10.99.0.0/24{24,32} ]; export none; };
			  ipv6 { import where net ~ [ fd99::/64{64,128} ]; export none; next hop address fd77:1::1; };
			}
		END
	done
}

pop_nginx_config() {
	cat <<-END
		daemon off;
		user root;
		worker_processes 1;
		pid $POP_DIR/nginx-$1.own;
		error_log $POP_DIR/nginx-$1.error warn;
		events { worker_connections 4096; }
		http {
		  access_log off;
		  keepalive_timeout 300;
		  keepalive_requests 1000000;
		  client_body_temp_path $POP_DIR/$1-body;
		  proxy_temp_path $POP_DIR/$1-proxy;
		  fastcgi_temp_path $POP_DIR/$1-fastcgi;
		  uwsgi_temp_path $POP_DIR/$1-uwsgi;
		  scgi_temp_path $POP_DIR/$1-scgi;
		  server {
		    listen 80 backlog=4096;
		    listen [::]:80 backlog=4096;
		    root $POP_DIR/www;
		    add_header X-Backend $1 always;
		    location = /health { return 200 "ok\n"; }
		    location = /upload { client_max_body_size 0; return 200 "taken\n"; }
		    location = / { return 200 "$1\n"; }
		  }
		}
	END
}

pop_knot_config() {
	cat <<-END
		server:
		    rundir: $POP_DIR/knot-$1
		    listen: [ 0.0.0.0@53, ::@53 ]
		    user: root:root
		database:
		    storage: $POP_DIR/knot-$1
		log:
		  - target: stderr
		    any: warning
		zone:
		  - domain: example.net
		    storage: $POP_DIR/knot-$1
		    file: example.net.zone
		    zonefile-sync: -1
		    journal-content: none
	END
}

pop_zone() {
	cat <<-END
		\$TTL 60
		@ SOA ns.example.net. hostmaster.example.net. 1 3600 600 86400 60
		@ NS ns
		ns A 10.99.0.1
		www A 10.99.0.1
		www AAAA fd99::1
		who TXT "$1"
	END
}

pop_edge_config() {
	local i
	i=$(pop_host "$1")
	sed -e "s|@NODE@|$1|g" -e "s|@DIR@|$POP_DIR|g" -e "s|@HOST@|$i|g" -e "s|@ENCAP@|$POP_ENCAP|g" \
		"${POP_CONFIG:-$POP_ROOT/configs/pop.yaml.in}" |
		if [ "$POP_BACKENDS" = 6 ]; then
			sed -e 's|address: 10.77.1.11|address: "fd77:1::b"|' -e 's|address: 10.77.1.12|address: "fd77:1::c"|' \
				-e 's|address: 10.77.1.13|address: "fd77:1::d"|'
		else
			cat
		fi
}

# start PROGRAM NODE
pop_start() {
	local name=$1 node=$2
	case $name in
	bird)
		pop_bird_config >"$POP_DIR/bird.conf"
		pop_run bird "$node" bird -f -c "$POP_DIR/bird.conf" -s "$POP_DIR/bird.ctl" -P "$POP_DIR/bird.own"
		;;
	nginx)
		pop_nginx_config "$node" >"$POP_DIR/nginx-$node.conf"
		pop_run nginx "$node" nginx -c "$POP_DIR/nginx-$node.conf" -e "$POP_DIR/nginx-$node.error"
		;;
	knot)
		mkdir -p "$POP_DIR/knot-$node"
		pop_zone "$node" >"$POP_DIR/knot-$node/example.net.zone"
		pop_knot_config "$node" >"$POP_DIR/knot-$node.conf"
		rm -f "$POP_DIR/knot-$node/knot.pid" # of one that was killed
		pop_run knot "$node" knotd -c "$POP_DIR/knot-$node.conf"
		;;
	backend)
		pop_run backend "$node" "$NEARCAST_BUILD/bpf/nearcast-backend" --interface eth0 \
			--source 10.77.1.0/24 --source fd77:1::/64 --vip 10.99.0.0/24 --vip fd99::/64
		;;
	dataplane)
		pop_run dataplane "$node" "$NEARCAST_BUILD/dataplane/nearcast-dataplane" \
			--socket "$POP_DIR/$node.dataplane" --idle adaptive --file-prefix "$POP-$node" \
			--steer-object "$NEARCAST_BUILD/bpf/steer.bpf.o" $POP_DATAPLANE
		;;
	controlplane)
		[ -e "$POP_DIR/$node.yaml" ] || pop_edge_config "$node" >"$POP_DIR/$node.yaml"
		pop_run controlplane "$node" "$NEARCAST_BUILD/controlplane/nearcast-controlplane" "$POP_DIR/$node.yaml"
		;;
	*)
		echo "pop: no program $name" >&2
		return 2
		;;
	esac
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds
pop_wait() {
	local limit=$1 what=$2 until
	shift 2
	until=$((SECONDS + limit))
	until "$@" >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$until" ]; then
			echo "pop: waited $limit s in vain for $what; logs are in $POP_DIR" >&2
			return 1
		fi
		sleep 0.1
	done
}

pop_up() {
	local node
	pop_down
	mkdir -p "$POP_DIR/www"
	head -c 100000000 /dev/urandom >"$POP_DIR/www/100MB"
	echo small >"$POP_DIR/www/small"
	pop_network
	for node in "${POP_SERVERS[@]}"; do
		pop_start nginx "$node"
		pop_start knot "$node"
		pop_start backend "$node"
	done
	pop_start bird router
	for node in $(pop_edges); do
		pop_start dataplane "$node"
		pop_start controlplane "$node"
	done
	for node in $(pop_edges); do
		if ! pop_ctl "$node" wait announced --timeout 30s >/dev/null; then
			echo "pop: $node doesn't announce the VIPs; logs are in $POP_DIR" >&2
			return 1
		fi
	done
	pop_wait 10 "the router to have both routes" pop_routed
}

pop_ctl() { local node=$1; shift; "$NEARCAST_BUILD/ctl/nearcastctl" --socket "$POP_DIR/$node.control" "$@"; }

pop_routed() {
	ip -n "$POP-router" route show 10.99.0.1 | grep -q 10.99.0.1 && ip -n "$POP-router" -6 route show fd99::1 | grep -q fd99::1
}

pop_down() {
	local file name ns
	for file in "$POP_DIR"/{controlplane,dataplane,backend,bird,nginx,knot}-*.pid; do
		[ -e "$file" ] || continue
		name=$(basename "$file" .pid)
		pop_kill "${name%%-*}" "${name#*-}"
	done
	for ns in $(ip netns list | awk -v p="$POP-" 'index($1, p) == 1 {print $1}'); do ip netns del "$ns"; done
	rm -rf "$POP_DIR"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	set -euo pipefail
	command=${1:?pop.sh: up, down, start, kill or exec}
	shift
	"pop_$command" "$@"
fi
