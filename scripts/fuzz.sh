#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause
# Builds each tests/fuzz/*_fuzz.c with libFuzzer, AddressSanitizer and UBSan, runs it for a while, and shows a table.
# A target names what it is made of in its first lines: "/* sources: base/?*.c */" and "/* packages: libmnl */"
# (pkg-config's names). Inputs that were found are kept in build-fuzz/ and are where the next run begins.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=10
only=
build=build-fuzz

usage() {
	cat <<-END
	usage: scripts/fuzz.sh [options]
	  --seconds N    for each target ($seconds)
	  --only NAME    one target, as "config" of tests/fuzz/config_fuzz.c
	  --build DIR    binaries, corpora and crashes ($build)
	  --help
	exit: 0 no crash, 1 a crash or a target that doesn't build, 2 usage
	END
}

wrong() {
	echo "fuzz.sh: $1" >&2
	usage >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--seconds | --only | --build) [ $# -gt 1 ] || wrong "$1: its value is missing" ;;
	esac
	case $1 in
	--seconds)
		[[ $2 =~ ^[1-9][0-9]*$ ]] || wrong "--seconds $2: a number from 1"
		seconds=$2
		shift
		;;
	--only)
		[ -f "tests/fuzz/$2_fuzz.c" ] || wrong "--only $2: there is no tests/fuzz/$2_fuzz.c"
		only=$2
		shift
		;;
	--build) build=$2; shift ;;
	--help) usage; exit 0 ;;
	*) wrong "$1: unknown option" ;;
	esac
	shift
done

# What stands behind a word in the head of a target: said FILE WORD.
said() {
	sed -n "1,6s|^/\* $2: \(.*\) \*/\$|\1|p" "$1"
}

make() {
	local file=tests/fuzz/$1_fuzz.c packages flags=() sources
	packages=$(said "$file" packages)
	# A package's headers are not ours to warn about.
	[ -z "$packages" ] || # shellcheck disable=SC2086
		read -ra flags <<<"$(pkg-config --cflags --libs $packages | sed 's/-I/-isystem /g' | tr '\n' ' ')"
	eval "sources=($(said "$file" sources))" # globs and braces
	[ ${#sources[@]} -gt 0 ] || {
		echo "fuzz.sh: $file: names no sources" >&2
		return 1
	}
	clang -std=gnu17 -g -O1 -D_GNU_SOURCE -DNEARCAST_VERSION='"fuzz"' -Wall -Wextra -Werror \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I. -o "$build/$1" "$file" \
		"${sources[@]}" "${flags[@]}"
}

# bgp_messages FILE DIR: the messages of a file of JSON lines, each to a session that is up (tests/fuzz/fsm_fuzz.c).
bgp_messages() {
	/usr/bin/python3 - "$@" <<-'END'
	import json, pathlib, sys
	up = bytes([2, 2, 12, 1, 9, 4, 0x1f, 5, 9, 0])
	for line in open(sys.argv[1]):
	    row = json.loads(line)
	    (pathlib.Path(sys.argv[2]) / row["id"]).write_bytes(up + bytes.fromhex(row["hex"]))
	END
}

# bgp_bodies FILE DIR: their bodies, behind the octet by which tests/fuzz/update_fuzz.c knows what they are.
bgp_bodies() {
	/usr/bin/python3 - "$@" <<-'END'
	import json, pathlib, sys
	kinds = {"update": 0x3d, "open": 0x40, "notification": 0x80, "route-refresh": 0xc0}
	for line in open(sys.argv[1]):
	    row = json.loads(line)
	    if row["kind"] in kinds:
	        body = bytes([kinds[row["kind"]]]) + bytes.fromhex(row["hex"])[19:]
	        (pathlib.Path(sys.argv[2]) / row["id"]).write_bytes(body)
	END
}

# import_seeds DIR [FILE]: a rule and a blackhole that are used, as steps of tests/fuzz/imports_fuzz.c; the UPDATEs of FILE.
import_seeds() {
	/usr/bin/python3 - "$@" <<-'END'
	import json, pathlib, sys
	path = bytes.fromhex("40010100400206020100") + b"\0\xfd\xea"
	update = lambda attributes, routes=b"": b"\0\0" + len(attributes).to_bytes(2, "big") + attributes + routes
	rule = path + bytes.fromhex("c010088006000000000000" "800e0c0001850000" "060120c0000201")
	hole = path + bytes.fromhex("400304c0000209" "c00804ffff029a")
	seeds = {"rule": update(rule), "hole": update(hole, bytes.fromhex("20c0000201"))}
	for row in map(json.loads, open(sys.argv[2]) if len(sys.argv) > 2 else ()):
	    if row["kind"] == "update":
	        seeds[row["id"]] = bytes.fromhex(row["hex"])[19:]
	for name, body in seeds.items():
	    step = b"\0" + len(body).to_bytes(2, "big") + body
	    (pathlib.Path(sys.argv[1]) / name).write_bytes(b"\4\6\0" + step + b"\2" + step + b"\3\5\xff\7" + step)
	END
}

# transaction_seeds DIR: transactions that are taken, by what tests/fuzz/transaction_fuzz.c serves (abi/records.h).
transaction_seeds() {
	/usr/bin/python3 - "$@" <<-'END'
	import pathlib, struct, sys
	addr = lambda family, *octets: struct.pack("<B3x16s", family, bytes(octets))
	owner = lambda first, *backends: struct.pack("<4H", 8, 0, first, len(backends)) + struct.pack(
	    "<28H", *backends, *[0] * (28 - len(backends)))
	vip = struct.pack("<HHBBxxQ20s28x", 3, 1, 64, 1, 9, addr(6, 0xfd, 0x99))
	service = struct.pack("<4HQHHBBB41x", 4, 1, 1, 0, 9, 0, 65535, 0, 1, 1)
	backend = struct.pack("<4HQ20s20sH5Bx", 6, 2, 0, 0, 9, addr(4, 10, 77, 0, 3), addr(4, 10, 77, 0, 9), 6080, 2, 0, 0, 0, 0)
	nexthop = struct.pack("<5H6s6s42x", 7, 0, 1, 7, 1400, b"\2\0\0\0\0\1", b"\2\0\0\0\0\2")
	remove = lambda index, of: struct.pack("<3H58x", 9, index, of)
	begin = struct.pack("<HHIQQ40x", 1, 1, 0, 6, 5)
	commit = struct.pack("<HHIQI44x", 2, 0, 0, 6, 0)
	seeds = {"slots": b"\7" + owner(10, 1, 1), "service": b"\7" + vip + service, "backend": b"\7" + backend + owner(0, 2, 2),
	         "nexthop": b"\7" + nexthop, "remove": b"\7" + remove(0, 4) + remove(0, 3), "frames": b"\2" + begin + commit,
	         "nothing": b"\1"}
	for name, octets in seeds.items():
	    (pathlib.Path(sys.argv[1]) / name).write_bytes(octets)
	END
}

# packet_seeds DIR: a SYN, a reset, a fragment and a DNS query of each family, behind an octet that arms everything.
packet_seeds() {
	/usr/bin/python3 - "$@" <<-'END'
	import pathlib, struct, sys
	v4 = lambda p, l4, f=0: struct.pack(">6s6sHBBHHHBBH4s4s", b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", 0x800, 0x45, 0, 20 + len(l4), 7, f, 64, p,
	                                    0, b"\x14\0\0\1", b"\x0a\x63\0\1") + l4
	v6 = lambda p, l4: struct.pack(">6s6sHIHBB16s16s", b"\2\0\0\0\0\1", b"\2\0\0\0\0\2", 0x86dd, 6 << 28, len(l4), p, 64,
	                               b"\x20\1" + b"\1" * 14, b"\xfd\x99" + b"\0" * 13 + b"\1") + l4
	tcp = lambda flags: struct.pack(">HHIIBBHHH", 5000, 80, 1, 1, 0x50, flags, 65535, 0, 0)
	dns = struct.pack(">HHHH", 5000, 53, 37, 0) + bytes.fromhex("abcd01200001000000000000") + b"\3www\7example\0\0\1\0\1"
	for name, p, l4 in (("syn", 6, tcp(2)), ("rst", 6, tcp(4)), ("ack", 6, tcp(16)), ("dns", 17, dns)):
	    for check in range(4):
	        how = bytes([0x7c | check])
	        pathlib.Path(sys.argv[1], f"{name}4{check}").write_bytes(how + v4(p, l4))
	        pathlib.Path(sys.argv[1], f"{name}6{check}").write_bytes(how + v6(p, l4))
	pathlib.Path(sys.argv[1], "fragment").write_bytes(b"\x7d" + v4(17, dns, 0x2000))
	END
}

# event_seeds DIR: talkers of an attack, and its event (abi/records.h); odd types are events.
event_seeds() {
	/usr/bin/python3 - "$@" <<-'END'
	import pathlib, struct, sys
	talker = lambda of, attack, value, rank=0: struct.pack("<HBBIQQQQ24s", 130, of, rank, attack, 9, 50, 5, 100, value)
	source = lambda family, length, *octets: struct.pack("<B3x16sB3x", family, bytes(octets), length)
	event = lambda state: struct.pack("<HBBI5QI8sBBH", 131, state, 1, 7, 9, 1000, 800, 100, 90, 5000, b"\x25\x23\0\0\x50\x32\0\0", 7, 99, 123)
	values = (source(4, 32, 192, 0, 2, 1), source(6, 48, 0x20, 1, 0xd, 0xb8), struct.pack("<I20x", 123), struct.pack("<I20x", 40),
	          struct.pack("<I20x", 64), b"\1" * 24)
	for attack in (0, 7):
	    lists = b"".join(talker(of, attack, value) for of, value in enumerate(values)) + talker(2, attack, values[3], 1)
	    pathlib.Path(sys.argv[1], f"talkers{attack}").write_bytes(lists + event(0) + event(1) + lists + event(2))
	END
}

# session_seeds DIR: sessions that come up in several configurations, and what then may happen (tests/fuzz/fsm_fuzz.c).
session_seeds() {
	/usr/bin/python3 - "$@" <<-'END'
	import pathlib, sys
	up = bytes([12, 1, 9, 4, 0x1f, 5, 9])
	origin, path = b"\x40\1\1\0", b"\x40\2\6\2\1\0\0\xfd\xea"
	update = lambda attributes, nlri=b"": (lambda body: bytes([1, len(body)]) + body)(
	    b"\0\0" + len(attributes).to_bytes(2, "big") + attributes + nlri)
	tails = {"routes": bytes([10, 3, 0, 10, 67, 0, 11, 131, 0, 9, 7, 30, 5, 9]), "refresh": bytes([10, 3, 0, 9, 67, 4, 0, 1, 0, 1, 9]),
	         "update": update(origin + path + b"\x40\3\4\x0a\0\0\1", b"\x18\x0a\1\2") + update(b""),
	         "rule": update(origin + path + b"\x80\x0e\x0b\0\1\x85\0\0\5\3\x81\6\4\x81\x50") + bytes([10, 35, 0, 9]),
	         "malformed": update(b"\x40\1\1\7" + path, b"\x18\x0a\1\2"), "silence": bytes([7, 90, 7, 90, 12, 1]),
	         "stop": bytes([13, 9, 14, 12, 1])}
	for flags in (0x02, 0x40, 0x93, 0x5a):
	    for name, tail in tails.items():
	        wait = bytes([7, 40]) if flags & 8 else b""
	        pathlib.Path(sys.argv[1], f"{name}{flags}").write_bytes(bytes([flags, flags & 3]) + up + wait + tail)
	END
}

# capture_seeds DIR: a ring of a copy or two (abi/capture.h), behind its indices and names.
capture_seeds() {
	/usr/bin/python3 - "$@" <<-'END'
	import pathlib, struct, sys
	slot = lambda held, verdict, mark: struct.pack("<QQII3HB33x", 1, mark, 5, 1500, held, 7, 0, verdict) + b"\xca" * held + bytes(2048 - held)
	for n, slots in enumerate((slot(60, 1, 0), slot(1500, 37, 9) + slot(2048, 20, 0), slot(61, 5, 1) * 4)):
	    pathlib.Path(sys.argv[1], f"ring{n}").write_bytes(struct.pack("<II4B", len(slots) // 2112, 0, 65, 5, 6, n) + slots)
	pathlib.Path(sys.argv[1], "text").write_text("Zm9vYmFyZg==")
	END
}

# Where a target begins: files that somebody wrote, besides what earlier runs found.
seed() {
	local corpus=$build/corpus/$1
	mkdir -p "$corpus"
	case $1 in
	config) cp configs/*.yaml "$corpus" ;;
	lists) printf '192.0.2.0/24 drop for 1h # scanner\n2001:db8::/32 limit 3 until 9000\n::/0 allow\n' >"$corpus/entries" ;;
	rules) sed -n 1,26p configs/signatures.yaml >"$corpus/signatures" ;; # few, for each is compiled
	control) printf '{"jsonrpc":"2.0","id":1,"method":"echo","params":{"name":"x"}}\n' >"$corpus/request" ;;
	transaction) transaction_seeds "$corpus" ;;
	guard) packet_seeds "$corpus" ;;
	events) event_seeds "$corpus" ;;
	capture) capture_seeds "$corpus" ;;
	fsm)
		session_seeds "$corpus"
		[ ! -f ../shared/bgp/messages.jsonl ] || bgp_messages ../shared/bgp/messages.jsonl "$corpus"
		;;
	program)
		echo 'udp and src port 123 and greater 400' >"$corpus/expression"
		clang -O2 -target bpf -I "/usr/include/$(uname -m)-linux-gnu" -c tests/unit/guard/filter.bpf.c -o "$corpus/object"
		;;
	imports) if [ -f ../shared/bgp/messages.jsonl ]; then import_seeds "$corpus" ../shared/bgp/messages.jsonl; else import_seeds "$corpus"; fi ;;
	update) [ ! -f ../shared/bgp/messages.jsonl ] || bgp_bodies ../shared/bgp/messages.jsonl "$corpus" ;;
	esac
	[ ! -d "tests/fuzz/regressions/$1" ] || cp "tests/fuzz/regressions/$1"/* "$corpus"
}

# The table's line of one run, out of libFuzzer's closing lines.
summary() {
	local log=$build/$1.log
	awk -v name="$1" -v result="$2" '
		match($0, /cov: [0-9]+/) { cov = substr($0, RSTART + 5, RLENGTH - 5) }
		/^stat::number_of_executed_units/ { execs = $2 }
		/^stat::new_units_added/ { units = $2 }
		END {
			printf "%-12s %12s %9s %10s  %s\n", name, execs ? execs : "-", cov ? cov : "-",
				units ? units : 0, result
		}
	' "$log"
}

fuzz() {
	local crash
	if ! make "$1" >"$build/$1.log" 2>&1; then
		cat "$build/$1.log" >&2
		table+=("$(summary "$1" "does not build")")
		return 1
	fi
	seed "$1"
	if ASAN_OPTIONS=detect_leaks=1 "$build/$1" -max_total_time="$seconds" -print_final_stats=1 -timeout=10 \
		-rss_limit_mb=2048 -artifact_prefix="$build/crashes/$1-" "$build/corpus/$1" >"$build/$1.log" 2>&1; then
		table+=("$(summary "$1" ok)")
		return 0
	fi
	tail -n 40 "$build/$1.log" >&2
	crash=$(sed -n 's/.*Test unit written to //p' "$build/$1.log" | tail -n 1)
	table+=("$(summary "$1" "CRASH ${crash:-see $build/$1.log}")")
	return 1
}

mkdir -p "$build/crashes"
table=()
status=0
for file in tests/fuzz/*_fuzz.c; do
	name=$(basename "$file" _fuzz.c)
	[ -z "$only" ] || [ "$only" = "$name" ] || continue
	echo "fuzz.sh: $name" >&2
	fuzz "$name" || status=1
done
printf '%-12s %12s %9s %10s  %s\n' TARGET EXECS COVERAGE "NEW UNITS" RESULT
printf '%s\n' "${table[@]}"
exit $status
