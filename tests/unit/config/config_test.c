/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "abi/control.h"
#include "abi/layout.h"
#include "base/flowhash.h"
#include "controlplane/config.h"

/* What each row changes: one line of this file, by number, is replaced by the row's text. */
static const char *const base[] = {
	"node:",
	"  name: edge",
	"  source: {ipv4: 10.77.1.2}",
	"bgp:",
	"  as: 65010",
	"  router_id: 10.77.1.2",
	"  peers:",
	"    - {name: r1, address: 10.77.1.1, as: 65001}",
	"vips:",
	"  - {name: v1, prefix: 10.99.0.1/32}",
	"  - {name: v2, prefix: 10.99.0.0/24}",
	"pools:",
	"  - name: web",
	"    idle: 300s",
	"    health: {interval: 2s}",
	"    backends:",
	"      - {name: s1, address: 10.77.2.11}",
	"      - {name: s2, address: 10.77.2.12}",
	"services:",
	"  - {name: a, vip: v1, pool: web, protocol: tcp, port: 80}",
	"  - {name: b, vip: v1, pool: web, protocol: udp, port: 53}",
};

#define PEER "    - {name: r1, address: 10.77.1.1, as: 65001}\n"

static const struct {
	unsigned line;
	const char *text;
	const char *error;
} rows[] = {
	{2, "  nam: edge", "t:2:3: unknown key nam; did you mean name?"},
	{2, "  name: edge\n  zzzzzzzz: 1", "t:3:3: unknown key zzzzzzzz"},
	{2, "  control: /run/c", "t:2:3: node lacks the key name"},
	{2, "  name: edge\n  name: edge", "t:3:3: key name is there twice"},
	{2, "  name: [edge]", "t:2:9: name must be a name, not a list"},
	{2, "  name: ''", "t:2:9: name must be a name, not nothing"},
	{2, "  name: e/dge", "t:2:9: name e/dge may hold letters, digits, '.', '_' and '-' only"},
	{2, "  name: 0123456789012345678901234567890123456789012345678901234567890123",
	 "t:2:9: name 0123456789012345678901234567890123456789012345678901234567890123 is longer than 63 characters"},
	{2, "  name: edge\n  http: 9464", "t:3:9: http 9464 is no address:port such as 127.0.0.1:9464 or [::1]:9464"},
	{2, "  name: edge\n  http: \"::1:80\"",
	 "t:3:9: http ::1:80 is no address:port such as 127.0.0.1:9464 or [::1]:9464"},
	{2, "  name: edge\n  control: \"a\\tb\"", "t:3:12: control a?b holds a character that is not printable ASCII"},
	{3, "  source: {ipv4: \"fd77::1\"}", "t:3:18: ipv4 fd77::1 is no IPv4 address"},
	{3, "  source: {ipv6: 10.0.0.1}", "t:3:18: ipv6 10.0.0.1 is no IPv6 address"},
	{3, "  source: 10.0.0.1", "t:3:11: source must be a mapping"},
	{3, "  dataplane: /run/d",
	 "t:17:29: address 10.77.2.11 needs an outer source: node.source.ipv4 is not there"},
	{5, "  as: 0", "t:5:7: as 0 is below 1"},
	{5, "  as: x", "t:5:7: as x is no whole number"},
	{5, "  as: 4294967295", "t:5:7: as 4294967295 is above 4294967294"},
	{6, "  router_id: \"fd77::1\"", "t:6:14: router_id fd77::1 is no IPv4 address"},
	{6, "  router_id: 0.0.0.0", "t:6:14: router_id 0.0.0.0 is zero"},
	{8, "    - {name: r1, address: x, as: 65001}", "t:8:27: address x is no address"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, hold: 2s}", "t:8:55: hold 2s must be 0s or at least 3s"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, local: \"fd77::1\"}",
	 "t:8:56: local fd77::1 is not of the peer's address family"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 1}\n    - {name: r2, address: 10.77.1.1, as: 1}",
	 "t:9:27: address 10.77.1.1 is peer r1's too"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 1}\n    - {name: r1, address: 10.77.1.9, as: 1}",
	 "t:9:14: peer r1 is there twice"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, auth: {kind: tls, key: x}}",
	 "t:8:62: kind tls is not md5 or ao"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, auth: {kind: md5}}", "t:8:55: auth lacks the key key"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, auth: {kind: md5, key: x, id: 1}}",
	 "t:8:79: id has no meaning with md5"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, role: friend}",
	 "t:8:55: role friend is not provider, rs, rs-client, customer, peer or none"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, role_strict: true}", "t:8:62: role_strict needs a role"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {interval: 5ms}}",
	 "t:8:65: interval 5ms is below 10ms"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {multiplier: 0}}",
	 "t:8:67: multiplier 0 is below 1"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {min_ttl: 250}}",
	 "t:8:64: min_ttl needs multihop: a neighbour's packets have 255"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {auth: {kind: md5, id: 1, key: 0123456789abcdefg}}}",
	 "t:8:85: key is longer than 16 octets"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {auth: {kind: sha1, id: 1, key: 0123456789abcdefghijk}}}",
	 "t:8:86: key 0123456789abcdefghijk is longer than 20 octets"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {auth: {kind: sha2, id: 1, key: k}}}",
	 "t:8:68: kind sha2 is not password, md5, meticulous-md5, sha1 or meticulous-sha1"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, bfd: {auth: {kind: sha1, key: k}}}",
	 "t:8:61: auth lacks the key id"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, hops: 0}", "t:8:55: hops 0 is below 1"},
	{8, "    - {name: r1, address: 'fe80::1', as: 65001}", "t:8:27: a link-local address needs an interface"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, interface: eth0}",
	 "t:8:60: interface is for a link-local address only"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, validation: no}", "t:8:61: validation no is not true or false"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, longest: {ipv4: 33}}", "t:8:65: ipv4 33 is above 32"},
	{8, PEER "  path: {communities: 65000:1}", "t:9:23: communities must be a list"},
	{8, PEER "  path: {communities: [65536:1]}",
	 "t:9:24: community 65536:1 is none such as 65000:1, rt:65000:1, 65000:1:2 or no-export"},
	{8, PEER "  path: {prepend: 17}", "t:9:19: prepend 17 is above 16"},
	{8, PEER "  path: {med: 4294967296}", "t:9:15: med 4294967296 is above 4294967295"},
	{8, PEER "  path: {origin: bgp}", "t:9:18: origin bgp is not igp, egp or incomplete"},
	{8, PEER "  path: {next_hop: 10.0.0.1}", "t:9:20: next_hop must be self or a mapping of ipv4 and ipv6"},
	{8, PEER "  path: {local_perf: 1}", "t:9:10: unknown key local_perf; did you mean local_pref?"},
	{8, PEER "  degraded: {below: 101%}", "t:9:21: below 101% is above 100%"},
	{8, PEER "  damping: {for: 2h}", "t:9:18: for 7200s is above longest 1800s"},
	{8, PEER "  drain: {timeout: 25h}", "t:9:20: timeout 25h is above 86400s"},
	{8, PEER "  aggregates: [{prefix: 10.98.0.0/16}]", "t:9:25: aggregate 10.98.0.0/16 has no vip inside"},
	{8, PEER "  aggregates: [{prefix: 10.98.0.0/15}, {prefix: 10.99.0.0/16}]",
	 "t:9:49: aggregate 10.99.0.0/16 overlaps another"},
	{8, PEER "  aggregates: [{prefix: 10.98.0.0/15, only: vips}]", "t:9:45: only vips is not aggregate or both"},
	{8, PEER "  dynamic: [{name: r1, range: 10.78.0.0/16, as: 1}]", "t:9:20: name r1 is a peer's too"},
	{8, PEER "  dynamic: [{name: d, range: 10.0.0.0/8, as: 9-1}]",
	 "t:9:46: as 9-1 is no AS number and no range such as 64512-64999"},
	{8, PEER "  dynamic: [{name: d, range: 10.0.0.0/8, as: 1-4294967295}]",
	 "t:9:46: as 1-4294967295 is no AS number and no range such as 64512-64999"},
	{8, PEER "  dynamic: [{name: d, range: 10.0.0.0/8, as: 64000-66000}]", "t:9:46: as 64000-66000 holds our own, 65010"},
	{8, PEER "  dynamic: [{name: d, as: 1}]", "t:9:13: a range of dynamic peers lacks the key range"},
	{8, PEER "  dynamic: [{name: d, range: 10.0.0.0/8, as: 1}, {name: e, range: 10.1.0.0/16, as: 1}]",
	 "t:9:67: range 10.1.0.0/16 overlaps range d's"},
	{8, "    - {name: r1, address: 10.77.1.1, as: 65001, passive: true}\n"
	 "  dynamic: [{name: d, range: 10.77.0.0/16, as: 1, auth: {kind: md5, key: x}}]",
	 "t:9:57: peer r1 lies in the range, whose key it would be asked for: give it one"},
	{8, PEER "  listen: {addresses: [10.0.0.1, 10.0.0.1]}", "t:9:34: address 10.0.0.1 is there twice"},
	{8, PEER "  listen: {addresses: 10.0.0.1}", "t:9:23: addresses must be a list"},
	{8, PEER "  listen: {port: 0}", "t:9:18: port 0 is below 1"},
	{11, "  - {name: v2, prefix: 10.99.0.0/24, peers: [{name: r9}]}", "t:11:53: there is no peer r9"},
	{11, "  - {name: v2, prefix: 10.99.0.0/24, peers: [{name: r1}, {name: r1}]}", "t:11:65: peer r1 is there twice"},
	{8, PEER "  import: {flowspec: {max: 385}}", "t:9:28: max 385 is above 384"},
	{8, PEER "  import: {flowspec: {lifetime: 721h}}", "t:9:33: lifetime 721h is above 2592000s"},
	{8, PEER "  import: {flowspec: {actions: [drop, allow]}}", "t:9:39: an action allow is not drop, count, limit or sample"},
	{8, PEER "  import: {flowspec: {actions: drop}}", "t:9:32: actions must be a list"},
	{8, PEER "  import: {flowspec: {within: [10.99.0.1/24]}}", "t:9:32: within 10.99.0.1/24 has bits set behind its length"},
	{8, PEER "  import: {blackhole: {actions: [drop]}}", "t:9:24: unknown key actions"},
	{8, PEER "  bmp: {}", "t:9:8: bmp must be a list"},
	{8, PEER "  bmp: [{name: c, address: 10.77.1.9}]", "t:9:9: a collector lacks the key port"},
	{8, PEER "  bmp: [{name: c, address: 10.77.1.9, port: 0}]", "t:9:45: port 0 is below 1"},
	{8, PEER "  bmp:\n    - {name: c, address: 10.77.1.9, port: 1}\n    - {name: c, address: 10.77.1.8, port: 1}",
	 "t:11:14: collector c is there twice"},
	{8, PEER "  mrt: {file: bgp.mrt}", "t:9:15: file bgp.mrt: give the whole path"},
	{8, PEER "  mrt: {file: /m, rotate: 64}", "t:9:27: rotate 64 is below 1000000"},
	{8, PEER "  mrt: {file: /m, rotate: 64MB}", "t:9:27: rotate 64MB is no number of octets such as 500k, 64M or 2G"},
	{8, PEER "  mrt: {file: /m, age: 60}", "t:9:24: age 60 has no unit: write 60s or 60ms"},
	{8, PEER "  mrt: {file: /m, keep: 100}", "t:9:25: keep 100 is above 99"},
	{10, "  - {name: v1, prefix: 10.99.0.1/33}",
	 "t:10:24: prefix 10.99.0.1/33 is longer than its family's addresses"},
	{10, "  - {name: v1, prefix: 10.99.0.1/24}", "t:10:24: prefix 10.99.0.1/24 has bits set behind its length"},
	{10, "  - {name: v1, prefix: nine}", "t:10:24: prefix nine is no prefix"},
	{10, "  - {name: v1, prefix: 10.99.0.1, unmatched: keep}", "t:10:46: unmatched keep is not drop or refuse"},
	{11, "  - {name: v1, prefix: 10.99.0.2}", "t:11:12: vip v1 is there twice"},
	{11, "  - {name: v2, prefix: 10.99.0.1}", "t:11:24: prefix 10.99.0.1/32 is vip v1's too"},
	{11, "  - {name: v2, prefix: 10.77.1.2}", "t:11:24: prefix 10.77.1.2/32 holds the node's source 10.77.1.2"},
	{11, "  - {name: v2, prefix: 10.77.1.1}", "t:11:24: prefix 10.77.1.1/32 holds peer r1's address 10.77.1.1"},
	{11, "  - {name: v2, prefix: 10.77.2.12}",
	 "t:11:24: prefix 10.77.2.12/32 holds backend s2's address 10.77.2.12"},
	{14, "    idle: 300", "t:14:11: idle 300 has no unit: write 300s or 300ms"},
	{14, "    idle: 5 days", "t:14:11: idle 5 days is no duration such as 500ms, 2s, 5m or 1h"},
	{14, "    idle: 1500ms", "t:14:11: idle 1500ms is not a whole number of seconds"},
	{14, "    idle: 11h", "t:14:11: idle 11h is above 36000s"},
	{14, "    fail_open: yes", "t:14:16: fail_open yes is neither true nor false"},
	{14, "    min_weight: 101%", "t:14:17: min_weight 101% is above 100%"},
	{14, "    min_weight: 10", "t:14:17: min_weight 10 is no percentage such as 10%"},
	{14, "    encapsulation: vxlan", "t:14:20: encapsulation vxlan is not l2, ipip, gue or gre"},
	{14, "    encapsulation: {kind: gue, dscp: 64}", "t:14:38: dscp 64 is neither copy nor 0 to 63"},
	{14, "    encapsulation: {kind: gue, vary_source: 17}", "t:14:45: vary_source 17 is above 16"},
	{15, "    health: {interval: 1s, timeout: 2s}", "t:15:37: timeout 2000ms is above the interval 1000ms"},
	{15, "    health: {interval: 500ms}", "t:15:24: timeout 1000ms is above the interval 500ms"},
	{15, "    health: {interval: 50ms}", "t:15:24: interval 50ms is below 100ms"},
	{15, "    health: {checks: [{kind: tcp}]}", "t:15:23: a check of kind tcp lacks the key port"},
	{15, "    health: {checks: [{kind: dns}]}", "t:15:23: a check of kind dns lacks the key query"},
	{15, "    health: {checks: [{kind: icmp, port: 1}]}", "t:15:42: port has no meaning for a check of kind icmp"},
	{15, "    health: {checks: [{kind: http, query: x}]}",
	 "t:15:43: query has no meaning for a check of kind http"},
	{15, "    health: {checks: [{kind: http, path: x}]}", "t:15:42: path x must begin with / and hold no space"},
	{15, "    health: {checks: [{kind: http, status: 99}]}",
	 "t:15:44: status 99 is no HTTP status or range such as 200-299"},
	{15, "    health: {checks: [{}, {}, {}, {}, {}, {}, {}, {}, {}]}",
	 "t:15:22: checks must be a list of at most 8 checks"},
	{17, "      - {name: s1, address: 10.77.2.11, weight: 300}", "t:17:49: weight 300 is above 255"},
	{17, "      - {name: s2, address: 10.77.2.11}", "t:18:16: backend s2 is there twice"},
	{17, "      - {name: s1, address: 10.77.2.12}", "t:18:29: address 10.77.2.12 is backend s1's too"},
	{17, "      - {name: s1, address: \"fd77::1\"}",
	 "t:17:29: address fd77::1 needs an outer source: node.source.ipv6 is not there"},
	{20, "  - {name: b, vip: v1, pool: web, protocol: tcp, port: 80}", "t:21:12: service b is there twice"},
	{20, "  - {name: a, vip: v9, pool: web, port: 80}", "t:20:20: there is no vip v9"},
	{20, "  - {name: a, vip: v1, pool: w, port: 80}", "t:20:30: there is no pool w"},
	{20, "  - {name: a, vip: v1, pool: web, port: 9-8}",
	 "t:20:41: port 9-8 is not any, a port or a range such as 8000-8099"},
	{20, "  - {name: a, vip: v1, pool: web, protocol: udp, port: 53}", "t:21:5: service b overlaps service a"},
	{20, "  - {name: a, vip: v1, pool: web, protocol: any, port: 53}", "t:21:5: service b overlaps service a"},
	{21, "  - {name: b, vip: v1, pool: web, protocol: tcp, port: 80-80}", "t:21:5: service b overlaps service a"},
	{9, "vips: {}\nx:", "t:9:7: vips must be a list"},
	{2, "  name: &n edge", "t:2:9: anchors are not taken"},
	{2, "  name: !!str edge", "t:2:9: tags are not taken"},
	{2, "  name: !x edge", "t:2:9: tags are not taken"},
	{2, "  name: ! edge", "t:2:9: tags are not taken"},
	{9, "vips: !!seq", "t:9:7: tags are not taken"},
	{9, "vips: &v", "t:9:7: anchors are not taken"},
	{3, "  source: !!map {ipv4: 10.77.1.2}", "t:3:11: tags are not taken"},
	{3, "  source: &s {ipv4: 10.77.1.2}", "t:3:11: anchors are not taken"},
	{3, "  source: {<<: {ipv4: 10.77.1.2}}", "t:3:12: merge keys are not taken"},
	{20, "  - {name: a, vip: v1, pool: web, port: 0}", "t:20:41: port 0 begins at 0: write a port from 1, or any"},
	{20, "  - {name: a, vip: v1, pool: web, port: 0-80}",
	 "t:20:41: port 0-80 begins at 0: write a port from 1, or any"},
	{20, "  - {name: a, vip: v1, pool: web, port: 65536}",
	 "t:20:41: port 65536 is not any, a port or a range such as 8000-8099"},
	{17, "      - {name: s1, address: 10.77.2.11, weight: -1}", "t:17:49: weight -1 is no whole number"},
	{17, "      - {name: s1, address: 10.77.2.11, wieght: 1}", "t:17:41: unknown key wieght; did you mean weight?"},
	{13, "  - {name: web, backends: []}\n  - name: web", "t:13:27: pool web has no backend with a weight above 0"},
	{16, "    backends: []\n  - name: other\n    backends:",
	 "t:16:15: pool web has no backend with a weight above 0"},
	{2, "  name: *n", "t:2:9: aliases are not taken"},
	{2, "  name: \"a\\0b\"", "t:2:9: a NUL character is not taken"},
	{2, "  name: edge\n  [x]: y", "t:3:3: a key must be a word"},
	{21, "---\nnode: {}", "t:21:1: a second document"},
	{2, "  name: [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", "t:2:23: nested too deeply"},
};

static size_t
compose(char *text, size_t size, unsigned line, const char *instead)
{
	size_t at = 0;

	for (unsigned i = 0; i < ARRAY_LEN(base); i++)
		at += (size_t)snprintf(text + at, size - at, "%s\n", i + 1 == line ? instead : base[i]);
	return at;
}

static struct model *
parse(const char *text, size_t len, struct config_errors *errors)
{
	struct model *model = NULL;
	int err = config_parse("t", text, len, &model, errors);

	cr_assert_eq(err, 0, "%s", errors->list[0].text);
	return model;
}

Test(config, says_where_and_what_is_wrong)
{
	struct config_errors errors;
	struct model *model = NULL;
	char text[4096];

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = compose(text, sizeof(text), rows[i].line, rows[i].text);

		cr_expect_eq(config_parse("t", text, len, &model, &errors), -EINVAL, "row %u: %s", i, rows[i].text);
		cr_expect_str_eq(errors.list[0].text, rows[i].error, "row %u: %s", i, errors.list[0].text);
	}
}

/* Both passes, by line, and nothing that only follows from a fault named already. */
Test(config, names_all_that_is_wrong_in_the_order_of_lines)
{
	static const char text[] = "node: {name: n, source: {ipv4: x}, nme: 1}\n"
				   "vips:\n"
				   "  - {name: v, prefix: 10.0.0.1}\n"
				   "  - {name: v, prefix: 10.0.0.1/33}\n"
				   "  - {name: w, prefix: 10.0.0.1}\n"
				   "services:\n"
				   "  - {name: a, vip: v, pool: p, port: 53, protocol: udp}\n"
				   "  - {name: b, vip: v, pool: p, port: 53, protocol: dup}\n"
				   "  - {name: c, vip: u, pool: q, port: 53}\n"
				   "  - {name: d, vip: [], pool: p}\n"
				   "  - {name: e, vip: w, pool: s}\n"
				   "  - 7\n"
				   "pools:\n"
				   "  - name: p\n"
				   "    backends: [{name: s, address: y}, {name: s, address: 10.0.0.1, weight: 999}]\n"
				   "  - {name: q, backends: {}}\n"
				   "  - {name: s, encapsulation: l2}\n"
				   "bgp: {as: 1, router_id: 1.1.1.1, "
				   "peers: [{name: r, as: 1, address: z, local: 10.0.0.9}]}\n";
	static const char *const expected[] = {
		"t:1:32: ipv4 x is no IPv4 address",
		"t:1:36: unknown key nme; did you mean name?",
		"t:3:23: prefix 10.0.0.1/32 holds backend s's address 10.0.0.1",
		"t:4:12: vip v is there twice",
		"t:4:23: prefix 10.0.0.1/33 is longer than its family's addresses",
		"t:5:23: prefix 10.0.0.1/32 holds backend s's address 10.0.0.1",
		"t:5:23: prefix 10.0.0.1/32 is vip v's too",
		"t:8:52: protocol dup is not tcp, udp or any",
		"t:9:20: there is no vip u",
		"t:10:20: vip must be a name, not a list",
		"t:12:5: a service must be a mapping",
		"t:15:35: address y is no address",
		"t:15:46: backend s is there twice",
		"t:15:76: weight 999 is above 255",
		"t:16:25: backends must be a list",
		"t:17:5: a pool lacks the key backends",
		"t:18:68: address z is no address",
	};
	struct config_errors errors;
	struct model *model;

	cr_assert_eq(config_parse("t", text, strlen(text), &model, &errors), -EINVAL);
	cr_expect_eq(errors.n, ARRAY_LEN(expected), "%u", errors.n);
	for (unsigned i = 0; i < errors.n && i < ARRAY_LEN(expected); i++)
		cr_expect_str_eq(errors.list[i].text, expected[i], "%u: %s", i, errors.list[i].text);
}

Test(config, takes_ranges_that_are_nested)
{
	struct config_errors errors;
	char text[4096];

	model_free(parse(text, compose(text, sizeof(text), 20, "  - {name: a, vip: v1, pool: web}"), &errors));
	model_free(parse(text, compose(text, sizeof(text), 20, "  - {name: a, vip: v1, pool: web, port: 50-60}"),
			 &errors));
}

Test(config, refuses_a_link_layer_pool_of_another_family)
{
	static const char text[] = "node: {name: n}\nvips: [{name: v, prefix: \"fd99::1\"}]\npools:\n- name: p\n"
				   "  encapsulation: l2\n  backends: [{name: s, address: 10.0.0.1}]\n"
				   "services: [{name: a, vip: v, pool: p}]\n";
	struct config_errors errors;
	struct model *model;

	cr_assert_eq(config_parse("t", text, strlen(text), &model, &errors), -EINVAL);
	cr_assert_str_eq(errors.list[0].text,
			 "t:7:36: pool p has encapsulation l2, but backend s is not of vip v's address family");
}

Test(config, refuses_a_pool_without_weight)
{
	static const char text[] = "node: {name: n}\nvips: []\nservices: []\npools:\n- name: p\n  encapsulation: l2\n"
				   "  backends: [{name: s, address: 10.0.0.1, weight: 0}]\n";
	struct config_errors errors;
	struct model *model;

	cr_assert_eq(config_parse("t", text, strlen(text), &model, &errors), -EINVAL);
	cr_assert_str_eq(errors.list[0].text, "t:7:13: pool p has no backend with a weight above 0");
}

Test(config, counts_errors_above_the_list_and_cuts_the_text)
{
	struct config_errors errors;
	struct model *model;
	char text[4096] = "", all[8192], cut[10];
	const char *end;

	for (unsigned i = 0; i < 23; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%u: 1\n", i);
	cr_assert_eq(config_parse("t", text, strlen(text), &model, &errors), -EINVAL);
	cr_assert_eq(errors.n, 23 + 4);
	config_errors_format(&errors, all, sizeof(all));
	end = strrchr(all, '\n');
	cr_assert_not_null(end);
	cr_assert_str_eq(end, "\nand 7 more");
	config_errors_format(&errors, cut, sizeof(cut));
	cr_assert_eq(strlen(cut), sizeof(cut) - 1);
}

Test(config, says_that_a_file_cannot_be_read)
{
	struct config_errors errors;
	struct model *model;

	cr_assert_eq(config_load("/nonexistent/x.yaml", &model, &errors), -EINVAL);
	cr_assert_str_eq(errors.list[0].text, "/nonexistent/x.yaml: No such file or directory");
	cr_assert_eq(config_parse("t", "", 0, &model, &errors), -EINVAL);
	cr_assert_str_eq(errors.list[0].text, "t:1:1: the file is empty");
}

Test(config, fills_in_the_defaults)
{
	struct config_errors errors;
	char text[4096];
	size_t len = compose(text, sizeof(text), 15,
			     "    health: {checks: [{kind: http}, {kind: https}, {kind: icmp}]}");
	struct model *m = parse(text, len, &errors);
	const struct model_pool *pool = &m->pools[0];
	const struct model_health *health = &pool->health;

	cr_expect_str_eq(m->dataplane_socket, ABI_DATAPLANE_SOCKET);
	cr_expect_str_eq(m->control_socket, CONTROL_SOCKET_DEFAULT);
	cr_expect_eq(m->peers[0].session.hold_s, 9);
	cr_expect_eq(m->peers[0].session.reconnect_s, 5);
	cr_expect_eq(m->peers[0].session.graceful_restart_s, 0);
	cr_expect_eq(m->peers[0].session.local_as, 65010);
	cr_expect_eq(m->peers[0].session.router_id, 0x0a4d0102);
	cr_expect_not(m->vips[0].refuse);
	cr_expect_eq(m->vips[0].announce, MODEL_ANNOUNCE_ALL);
	cr_expect_eq(pool->hash, MODEL_HASH_STABLE);
	cr_expect_eq(pool->seed, flowhash_bytes(0, "web", 3));
	cr_expect_eq(pool->window_s, 60);
	cr_expect_eq(pool->encap, ABI_ENCAP_IPIP);
	cr_expect_eq(pool->gue_port, 6080);
	cr_expect_eq(pool->min_healthy, 1);
	cr_expect_eq(pool->backends[1].weight, 100);
	cr_expect_eq(health->interval_ms, 2000);
	cr_expect_eq(health->timeout_ms, 1000);
	cr_expect_eq(health->rise, 2);
	cr_expect_eq(health->fall, 3);
	cr_expect_eq(health->jitter_percent, 10);
	cr_expect_eq(health->hold_flaps, 5);
	cr_expect_eq(health->hold_window_s, 60);
	cr_expect_eq(health->hold_s, 30);
	cr_expect_eq(health->checks[0].port, 80);
	cr_expect_eq(health->checks[1].port, 443);
	cr_expect_eq(health->checks[2].port, 0);
	cr_expect_not(health->checks[1].tls_verify);
	cr_expect_eq(m->services[1].protocol, IPPROTO_UDP);
	cr_expect_eq(m->services[1].port_last, 53);
	cr_expect_eq(m->services[1].affinity, ABI_AFFINITY_FLOW);
	model_free(m);
}

static bool
pools_equal(const struct model_pool *a, const struct model_pool *b)
{
	return strcmp(a->name, b->name) == 0 && a->hash == b->hash && a->seed == b->seed &&
	a->window_s == b->window_s &&
	       a->idle_s == b->idle_s && a->encap == b->encap && a->gue_port == b->gue_port &&
	       a->gue_checksum == b->gue_checksum && a->dscp_mode == b->dscp_mode && a->dscp == b->dscp &&
	       a->source_vary_bits == b->source_vary_bits && a->min_healthy == b->min_healthy &&
	       a->min_weight_percent == b->min_weight_percent && a->fail_open == b->fail_open &&
	       memcmp(&a->health, &b->health, sizeof(a->health)) == 0 && a->n_backends == b->n_backends &&
	       memcmp(a->backends, b->backends, a->n_backends * sizeof(*a->backends)) == 0;
}

static void
expect_equal_vips(const struct model_vip *a, const struct model_vip *b)
{
	cr_expect_eq(memcmp(a, b, offsetof(struct model_vip, peers)), 0, "vip %s", a->name);
	if (a->n_peers > 0 && a->n_peers == b->n_peers)
		cr_expect_eq(memcmp(a->peers, b->peers, a->n_peers * sizeof(*a->peers)), 0, "vip %s", a->name);
}

static void
expect_equal(const struct model *a, const struct model *b)
{
	cr_expect_eq(memcmp(a, b, offsetof(struct model, n_peers)), 0);
	cr_assert(a->n_peers == b->n_peers && a->n_vips == b->n_vips && a->n_pools == b->n_pools &&
		  a->n_services == b->n_services);
	cr_assert_eq(a->n_collectors, b->n_collectors);
	if (a->n_collectors > 0)
		cr_expect_eq(memcmp(a->collectors, b->collectors, a->n_collectors * sizeof(*a->collectors)), 0);
	if (a->n_peers > 0)
		cr_expect_eq(memcmp(a->peers, b->peers, a->n_peers * sizeof(*a->peers)), 0);
	cr_assert(a->n_dynamic == b->n_dynamic && a->n_aggregates == b->n_aggregates);
	if (a->n_dynamic > 0)
		cr_expect_eq(memcmp(a->dynamic, b->dynamic, a->n_dynamic * sizeof(*a->dynamic)), 0);
	if (a->n_aggregates > 0)
		cr_expect_eq(memcmp(a->aggregates, b->aggregates, a->n_aggregates * sizeof(*a->aggregates)), 0);
	for (unsigned i = 0; i < a->n_vips; i++)
		expect_equal_vips(&a->vips[i], &b->vips[i]);
	if (a->n_services > 0)
		cr_expect_eq(memcmp(a->services, b->services, a->n_services * sizeof(*a->services)), 0);
	for (unsigned i = 0; i < a->n_pools; i++)
		cr_expect(pools_equal(&a->pools[i], &b->pools[i]), "pool %s", a->pools[i].name);
}

static void
expect_round_trip(const char *text, size_t len)
{
	struct config_errors errors;
	struct model *model = parse(text, len, &errors), *again;
	char *printed = NULL;
	size_t printed_len = 0;
	FILE *file = open_memstream(&printed, &printed_len);

	cr_assert_not_null(file);
	config_print(file, model);
	fclose(file);
	again = parse(printed, printed_len, &errors);
	expect_equal(model, again);
	model_free(model);
	model_free(again);
	free(printed);
}

static size_t
read_config(const char *name, char *text, size_t size)
{
	char path[512];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "%s/%s", getenv("CONFIGS"), name);
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	len = fread(text, 1, size, file);
	fclose(file);
	return len;
}

Test(config, prints_what_parses_back_to_the_same)
{
	static const struct {
		const char *word;
		const char *value;
	} words[] = {{"@NODE@", "edge1"}, {"@DIR@", "/tmp/pop"}, {"@HOST@", "2"}, {"@ENCAP@", "gue"}};
	char text[8192], filled[8192] = "";
	size_t len, at = 0;

	expect_round_trip(text, read_config("edge.yaml", text, sizeof(text)));
	expect_round_trip(text, read_config("minimal.yaml", text, sizeof(text)));
	len = read_config("pop.yaml.in", text, sizeof(text) - 1);
	text[len] = '\0';
	for (const char *c = text; *c;) {
		unsigned i = 0;

		while (i < ARRAY_LEN(words) && strncmp(c, words[i].word, strlen(words[i].word)) != 0)
			i++;
		if (i < ARRAY_LEN(words)) {
			at += (size_t)snprintf(filled + at, sizeof(filled) - at, "%s", words[i].value);
			c += strlen(words[i].word);
		} else {
			filled[at++] = *c++;
		}
		cr_assert_lt(at, sizeof(filled));
	}
	expect_round_trip(filled, at);
}

static const char announcing[] =
	"node: {name: e, source: {ipv4: 10.0.0.1}}\n"
	"bgp:\n"
	"  as: 64500\n"
	"  router_id: 1.1.1.1\n"
	"  listen: {addresses: [10.0.0.1, \"2001:db8::1\"], port: 1179}\n"
	"  path: {communities: [64500:1, 'rt:64500:7', '64500:1:2', no-export], origin: incomplete}\n"
	"  degraded: {below: 50%, prepend: 3, med: 200, communities: [64500:50]}\n"
	"  damping: {rise: 1500ms, flaps: 3, within: 60s, for: 10s, longest: 5m}\n"
	"  drain: {timeout: 10s, prepend: 2}\n"
	"  aggregates: [{prefix: 203.0.113.0/24, only: both, med: 5}]\n"
	"  peers:\n"
	"    - {name: r, as: 64501, address: 10.0.0.9, auth: {kind: ao, key: 'a \"b', id: 3}, role: customer,\n"
	"       role_strict: true, hops: 2, gtsm: true, extended_next_hop: true, flowspec: true, validation: false,\n"
	"       blackhole: true, max_prefixes: 100, passive: true, delay_open: 1s, send_hold: 500s,\n"
	"       path: {local_pref: 0, next_hop: {ipv4: 10.0.0.2}}}\n"
	"    - {name: own, as: 65001, address: 10.0.0.8,\n"
	"       bfd: {interval: 50ms, multiplier: 5, auth: {kind: meticulous-sha1, id: 9, key: 'b \"c'}}}\n"
	"    - {name: inner, as: 64500, address: 10.0.0.7, longest: {ipv4: 30}, bfd: {multihop: true, min_ttl: 60}}\n"
	"    - {name: far, as: 64501, address: 10.0.0.6, hops: 2, longest: {ipv6: 64}, bfd: {}}\n"
	"    - {name: fabric1, as: 65002, address: 'fe80::1', interface: eth0.7, extended_next_hop: true}\n"
	"    - {name: fabric2, as: 65002, address: 'fe80::1', interface: eth1}\n"
	"  dynamic: [{name: d, range: 10.1.0.0/16, as: 65002-65009, max: 4, path: {next_hop: self}}]\n"
	"vips:\n"
	"  - {name: v, prefix: 203.0.113.1, med: 7, degraded: {below: 30%}, damping: {flaps: 0},\n"
	"     peers: [{name: r, announce: never}, {name: d, prepend: 1}]}\n"
	"  - {name: w, prefix: 203.0.113.2}\n"
	"pools: [{name: p, backends: [{name: s, address: 10.0.0.3}]}]\n"
	"services: []\n";

Test(config, reads_how_routes_are_announced)
{
	struct config_errors errors;
	struct model *m = parse(announcing, strlen(announcing), &errors);

	cr_assert_not_null(m);
	cr_expect(m->peers[0].session.gtsm && m->peers[0].session.no_validation && m->peers[0].session.passive);
	cr_expect(m->peers[0].session.auth == BGP_AUTH_AO && m->peers[0].session.key_len == 4);
	cr_expect_eq(m->peers[0].longest_v4, 24, "another network's");
	cr_expect_eq(m->peers[1].longest_v4, 32, "a private AS");
	cr_expect_eq(m->peers[2].longest_v4, 30);
	cr_expect_eq(m->peers[2].longest_v6, 128, "iBGP");
	cr_expect(m->peers[3].longest_v4 == 24 && m->peers[3].longest_v6 == 64);
	cr_expect(m->peers[1].bfd.session.desired_us == 50000 && m->peers[1].bfd.session.required_us == 50000);
	cr_expect(m->peers[1].bfd.session.multiplier == 5 && !m->peers[1].bfd.is_multihop);
	cr_expect(m->peers[1].bfd.session.auth.type == BFD_AUTH_METICULOUS_SHA1 &&
		  m->peers[1].bfd.session.auth.key_len == 4);
	cr_expect(m->peers[2].bfd.is_multihop && m->peers[2].bfd.ttl_min == 60);
	cr_expect(m->peers[3].bfd.is_multihop && m->peers[3].bfd.session.multiplier == 3, "as BGP has it");
	cr_expect(!m->peers[0].bfd.enabled && !m->dynamic[0].peer.bfd.enabled);
	cr_expect(m->path.path.n_communities == 2 && m->path.path.n_extended == 1 && m->path.path.n_large == 1);
	cr_expect_eq(m->path.marks, MODEL_PATH_ORIGIN);
	cr_expect(m->drain.path.path.prepend == 2 && m->drain.path.path.med == UINT32_MAX, "what isn't said stays");
	cr_expect(m->vips[0].degraded.below_percent == 30 && m->vips[0].degraded.path.marks == 0);
	cr_expect(m->vips[1].degraded.below_percent == 50 && m->vips[1].degraded.path.path.prepend == 3);
	cr_expect(m->vips[0].damping.flaps == 0 && m->vips[0].damping.hold_s == 10 && m->vips[0].damping.rise_ms == 1500);
	cr_expect(m->vips[0].peers[0].never && m->vips[0].peers[1].path.path.prepend == 1);
	cr_expect(m->dynamic[0].peer.session.peer_as == 65002 && m->dynamic[0].peer.session.peer_as_last == 65009);
	cr_expect(m->dynamic[0].max == 4 && m->dynamic[0].peer.session.passive && m->dynamic[0].peer.path.marks);
	model_free(m);
	expect_round_trip(announcing, strlen(announcing));
}

Test(config, prints_who_watches_bgp)
{
	static const char text[] = "node: {name: n}\nvips: []\npools: []\nservices: []\n"
				   "bgp:\n"
				   "  as: 1\n"
				   "  router_id: 1.1.1.1\n"
				   "  peers: [{name: r, as: 2, address: 10.0.0.9}]\n"
				   "  bmp: [{name: a, address: 10.0.0.1, port: 11019, stats: 0s}, {name: b, address: \"::1\", port: 9}]\n"
				   "  mrt: {file: /var/lib/nearcast/bgp.mrt, rotate: 2M, age: 1h, keep: 0}\n";
	struct config_errors errors;
	struct model *m = parse(text, strlen(text), &errors);

	cr_expect(m->n_collectors == 2 && m->collectors[0].stats_s == 0 && m->collectors[1].stats_s == 30);
	cr_expect(m->mrt.rotate == 2000000 && m->mrt.age_s == 3600 && m->mrt.keep == 0);
	model_free(m);
	expect_round_trip(text, strlen(text));
}

Test(config, prints_what_is_imported)
{
	static const char text[] =
		"node: {name: n}\nvips: []\npools: []\nservices: []\n"
		"bgp:\n"
		"  as: 1\n"
		"  router_id: 1.1.1.1\n"
		"  peers: [{name: r, as: 2, address: 10.0.0.9}]\n"
		"  import: {flowspec: {max: 7, lifetime: 0s, within: [10.0.0.0/8, \"fd99::/64\"], actions: [limit, drop]},\n"
		"           blackhole: {lifetime: 10m, shortest: {ipv4: 24}}}\n";
	struct config_errors errors;
	struct model *m = parse(text, strlen(text), &errors);
	const struct model_import *flows = &m->imports[MODEL_IMPORT_FLOWSPEC], *holes = &m->imports[MODEL_IMPORT_BLACKHOLE];

	cr_expect(flows->max == 7 && flows->lifetime_s == 0 && flows->n_within == 2);
	cr_expect_eq(flows->actions, 1U << ABI_FILTER_LIMIT | 1U << ABI_FILTER_DROP);
	cr_expect(holes->max == 64 && holes->lifetime_s == 600 && holes->n_within == 0);
	cr_expect(holes->shortest_v4 == 24 && holes->shortest_v6 == 128 && flows->shortest_v4 == 0);
	model_free(m);
	expect_round_trip(text, strlen(text));
}

Test(config, survives_a_file_that_is_cut_anywhere)
{
	char text[8192];
	size_t len = read_config("edge.yaml", text, sizeof(text));

	for (size_t cut = 0; cut < len; cut++) {
		struct config_errors errors;
		struct model *model = NULL;
		/* Of its exact size, so that a read behind the end is seen by the sanitizer. */
		char *copy = malloc(cut > 0 ? cut : 1);

		cr_assert_not_null(copy);
		memcpy(copy, text, cut);
		if (config_parse("t", copy, cut, &model, &errors) == 0)
			model_free(model);
		else
			cr_expect_gt(errors.n, 0);
		free(copy);
	}
}
