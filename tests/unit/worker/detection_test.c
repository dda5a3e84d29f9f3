/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guard makes of whole streams of packets, by what an operator gets without saying more than his services:
 * floods that were captured, an hour of peace, and one source that is spread over workers.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/flowhash.h"
#include "edge.h"
#include "tests/unit/stage/frames.h"

enum { BURST = 32, FRAME_MAX = 1600 };

#define HEAD                                                                                                           \
	"node: {name: edge, source: {ipv4: 10.77.0.1, ipv6: \"fd77::1\"}}\n"                                           \
	"vips: [{name: v4, prefix: 10.99.0.1/32, unmatched: refuse}, {name: v6, prefix: \"fd99::1/128\"}]\n"           \
	"pools: [{name: all, encapsulation: ipip, backends: [{name: s1, address: 10.77.0.11}, {name: s2, address: "    \
	"10.77.0.12}]}]\n"
#define WEB "  - {name: web4, vip: v4, protocol: tcp, port: 80, pool: all}\n"
#define DNS                                                                                                            \
	"  - {name: dns4, vip: v4, protocol: udp, port: 53, pool: all, affinity: none}\n"                              \
	"  - {name: dnstcp4, vip: v4, protocol: tcp, port: 53, pool: all}\n"

TestSuite(detection, .init = frames_init);

struct frame {
	uint16_t len;
	uint8_t octets[FRAME_MAX];
};

static struct rte_mbuf *
mbuf_of(const struct frame *frame)
{
	struct rte_mbuf *mbuf = frames_mbuf("00");

	rte_pktmbuf_append(mbuf, (uint16_t)(frame->len - 1)); /* a mbuf has room for FRAME_MAX */
	memcpy(rte_pktmbuf_mtod(mbuf, uint8_t *), frame->octets, frame->len);
	return mbuf;
}

/* The IPv4 packets of a capture (pcap, little-endian, Ethernet), sent to the VIP; what most of it is, of one protocol,
 * to this port. */
static unsigned
capture_read(const char *path, uint8_t protocol, uint16_t port, struct frame *frames, unsigned max)
{
	static const uint8_t vip[] = {10, 99, 0, 1};
	FILE *file = fopen(path, "rb");
	uint32_t head[4];
	unsigned n = 0;

	if (!file)
		return 0;
	cr_assert_eq(fseek(file, 24, SEEK_SET), 0);
	while (n < max && fread(head, sizeof(head), 1, file) == 1) {
		struct frame *f = &frames[n];
		unsigned l4 = 14;

		cr_assert_leq(head[2], FRAME_MAX, "%s: a frame of %u octets", path, head[2]);
		cr_assert_eq(fread(f->octets, head[2], 1, file), 1);
		f->len = (uint16_t)head[2];
		l4 += (f->octets[14] & 15U) * 4;
		if (f->len < l4 + 4 || f->octets[12] != 8 || f->octets[13] != 0)
			continue;
		memcpy(f->octets + 30, vip, sizeof(vip));
		if (f->octets[23] == protocol && !(f->octets[20] & 0x1f) && !f->octets[21]) {
			f->octets[l4 + 2] = (uint8_t)(port >> 8);
			f->octets[l4 + 3] = (uint8_t)port;
		}
		n++;
	}
	fclose(file);
	return n;
}

/* So many packets at a rate, the frames again and again; how many it were. */
static uint64_t
send_all(struct edge *edge, const struct frame *frames, unsigned n, uint64_t pps, uint64_t packets)
{
	uint64_t sent = 0;

	for (; sent < packets; sent += BURST) {
		struct rte_mbuf *mbufs[BURST];

		for (unsigned i = 0; i < BURST; i++)
			mbufs[i] = mbuf_of(&frames[(sent + i) % n]);
		edge_burst(edge, (unsigned)(sent / BURST % edge->n_workers), mbufs, BURST);
		edge_pass(edge, BURST * CLOCK_NS_PER_S / pps);
	}
	return sent;
}

enum { FLOOD_PPS = 600000, CAPTURE_MAX = 40000 };

/* Armed within a tenth of a second, and from then on a hundredth passes at most. */
static void
flood_is_dropped(const char *what, const char *config, const struct frame *frames, unsigned n, bool arms)
{
	struct edge *edge = edge_new(config, 1);
	uint64_t sent, before, passed;

	edge_pass(edge, CLOCK_NS_PER_S);
	send_all(edge, frames, n, FLOOD_PPS, FLOOD_PPS / 10);
	cr_expect_eq(edge_is_armed(edge), arms, "%s", what);
	before = edge_verdict(edge, VERDICT_FORWARDED);
	sent = send_all(edge, frames, n, FLOOD_PPS, 3 * FLOOD_PPS);
	passed = edge_verdict(edge, VERDICT_FORWARDED) - before;
	cr_expect_leq(passed * 100, sent, "%s: %llu of %llu passed", what, (unsigned long long)passed,
		      (unsigned long long)sent);
	cr_expect_eq(edge_is_armed(edge), arms, "%s", what);
	edge_free(edge);
}

/* The default thresholds are 500,000 packets and 20,000 openings a second. */
Test(detection, drops_captured_floods_by_the_default_configuration)
{
	static const struct {
		const char *capture;
		uint8_t protocol;
		const char *service, *config;
		uint16_t port;
		bool arms; /* else there is no service of that protocol */
	} rows[] = {
		{"amp.TCP.reflection.SYNACK", IPPROTO_TCP, "web", HEAD "services:\n" WEB, 80, true},
		{"amp.TCP.reflection.SYNACK", IPPROTO_TCP, "dns", HEAD "services:\n" DNS, 53, true},
		{"amp.UDP.isakmp", IPPROTO_UDP, "web", HEAD "services:\n" WEB, 80, false},
		{"amp.UDP.isakmp", IPPROTO_UDP, "dns", HEAD "services:\n" DNS, 53, true},
		{"pkt.TCP.synflood.spoofed", IPPROTO_TCP, "web", HEAD "services:\n" WEB, 80, true},
		{"pkt.TCP.synflood.spoofed", IPPROTO_TCP, "dns", HEAD "services:\n" DNS, 53, true},
	};
	const char *folder = getenv("NEARCAST_CAPTURES") ? getenv("NEARCAST_CAPTURES") : getenv("CAPTURES");
	struct frame *frames = calloc(CAPTURE_MAX, sizeof(*frames));

	cr_assert(folder && frames);
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		char path[512], what[128];
		unsigned n;

		snprintf(path, sizeof(path), "%s/%s.pcap", folder, rows[i].capture);
		snprintf(what, sizeof(what), "%s to %s", rows[i].capture, rows[i].service);
		n = capture_read(path, rows[i].protocol, rows[i].port, frames, CAPTURE_MAX);
		if (n == 0) {
			free(frames);
			cr_skip("%s is not there", path);
		}
		flood_is_dropped(what, rows[i].config, frames, n, rows[i].arms);
	}
	free(frames);
	cr_expect_eq(frames_in_use(), 0);
}

enum client_kind { TCP4, TCP6, UDP4, UDP6, PARTS4, ECHO4, ERROR4, CLIENT_KINDS };

/* What a client sends, one after the other; how its own address and port are put in. */
static const struct {
	const char *frames[8];
	uint8_t source_at, port_at; /* 0: it has none */
} clients[CLIENT_KINDS] = {
	[TCP4] = {{ETH4 IP4("002c", "4000", "06") "13880050 00000001 00000000 6002ffff 00000000 020405b4",
		   ETH4 IP4("0028", "4000", "06") "13880050 00000002 00000001 5010ffff 00000000",
		   ETH4 IP4("002c", "4000", "06") "13880050 00000002 00000001 5018ffff 00000000 47455420",
		   ETH4 IP4("0028", "4000", "06") "13880050 00000006 00000100 5010ffff 00000000",
		   ETH4 IP4("0028", "4000", "06") "13880050 00000006 00000100 5011ffff 00000000",
		   ETH4 IP4("0028", "4000", "06") "13880050 00000007 00000000 5004ffff 00000000"},
		  29,
		  34},
	[TCP6] = {{ETH6 IP6("0014", "06") "13880050 00000001 00000000 50c2ffff 00000000", /* ECN's SYN */
		   ETH6 IP6("0014", "06") "13880050 00000002 00000001 5010ffff 00000000",
		   ETH6 IP6("0018", "06") "13880050 00000002 00000001 5018ffff 00000000 47455420",
		   ETH6 IP6("0014", "06") "13880050 00000006 00000100 5011ffff 00000000"},
		  37,
		  54},
	[UDP4] = {{ETH4 IP4("0039", "0000", "11") "13880035 0025 0000 abcd 0120 0001 0000 0000 0000 03777777 "
						  "076578616d706c65 00 0001 0001"},
		  29,
		  34},
	[UDP6] = {{ETH6 IP6("0025", "11") "13880035 0025 0000 abcd 0120 0001 0000 0000 0000 03777777 076578616d706c65 "
					  "00 001c 0001"},
		  37,
		  54},
	[PARTS4] = {{ETH4 IP4("002c", "2000", "11") "13880035 0025 0000 abcd 0120 0001 0000 0000 0000 03777777",
		     ETH4 IP4("0021", "0003", "11") "076578616d706c65 00 0001 0001"},
		    29,
		    0},
	[ECHO4] = {{ETH4 IP4("001c", "0000", "01") "0800f7fe 00000001"}, 29, 0},
	[ERROR4] = {{ETH4 "45000038 12340000 40010000 0a4d0109" VIP4
			  "03040000 00000578" QUOTED4("05dc", "4000", "06") "00501388 00000001"},
		    0,
		    0},
};

struct script {
	unsigned n;
	struct frame frames[8];
};

static void
scripts_read(struct script scripts[static CLIENT_KINDS])
{
	for (unsigned k = 0; k < CLIENT_KINDS; k++) {
		for (; clients[k].frames[scripts[k].n]; scripts[k].n++) {
			struct rte_mbuf *mbuf = frames_mbuf(clients[k].frames[scripts[k].n]);

			scripts[k].frames[scripts[k].n].len = mbuf->data_len;
			memcpy(scripts[k].frames[scripts[k].n].octets, rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
			rte_pktmbuf_free(mbuf);
		}
	}
}

/* Everything that a client of this kind has to say; the number of packets. */
static unsigned
client_send(struct edge *edge, const struct script *script, enum client_kind kind, uint32_t number)
{
	unsigned worker = number % edge->n_workers;

	for (unsigned i = 0; i < script->n; i++) {
		struct rte_mbuf *mbuf = mbuf_of(&script->frames[i]);
		uint8_t *octets = rte_pktmbuf_mtod(mbuf, uint8_t *);

		if (clients[kind].source_at)
			octets[clients[kind].source_at] = (uint8_t)(1 + number % 250);
		if (clients[kind].port_at)
			octets[clients[kind].port_at] = (uint8_t)(4 + number / 250 % 200);
		if (kind == PARTS4)
			octets[18] = (uint8_t)number; /* the datagram's identification */
		edge_burst(edge, worker, &mbuf, 1);
	}
	return script->n;
}

/* Traffic that comes and goes, below thresholds that are not far above what its loudest tenths of a second have. */
Test(detection, drops_nothing_in_an_hour_of_mixed_traffic, .timeout = 120)
{
	static const char config[] =
		HEAD "guard: {defaults: {thresholds: {packets: 1100, bits: 500k, openings: 200, fragments: 200}}}\n"
		     "services:\n" WEB DNS "  - {name: web6, vip: v6, protocol: tcp, port: 80, pool: all}\n"
		     "  - {name: dns6, vip: v6, protocol: udp, port: 53, pool: all, affinity: none}\n";
	static struct script scripts[CLIENT_KINDS];
	struct edge *edge = edge_new(config, 2);
	uint64_t sent = 0, echoes = 0;
	uint32_t number = 0;

	scripts_read(scripts);
	for (unsigned step = 0; step < 36000; step++) {
		unsigned level = step % 700 < 350 ? step % 350 : 350 - step % 350; /* up and down in 70 s */

		for (unsigned i = 0; i <= level / 20; i++, number++) {
			uint64_t dice = flowhash_mum(number ^ FLOWHASH_K0, FLOWHASH_K1) % 100;
			enum client_kind kind = dice < 40   ? TCP4
						: dice < 55 ? TCP6
						: dice < 80 ? UDP4
						: dice < 92 ? UDP6
						: dice < 95 ? PARTS4
						: dice < 98 ? ECHO4
							    : ERROR4;

			sent += client_send(edge, &scripts[kind], kind, number);
			echoes += kind == ECHO4;
		}
		edge_pass(edge, CLOCK_NS_PER_S / 10);
		cr_assert_not(edge_is_armed(edge), "armed after %u tenths of a second", step);
	}
	cr_expect_gt(sent, 500000);
	cr_expect_eq(edge_dropped(edge), 0);
	cr_expect_eq(edge_verdict(edge, VERDICT_ECHO_REPLIED), echoes);
	cr_expect_eq(edge_verdict(edge, VERDICT_FORWARDED), sent - echoes);
	cr_expect_eq(edge->n_events, 0);
	edge_free(edge);
	cr_expect_eq(frames_in_use(), 0);
}

static unsigned
spread_one(uint64_t number)
{
	(void)number;
	return 0;
}

static unsigned
spread_even(uint64_t number)
{
	return number % EDGE_WORKERS_MAX;
}

static unsigned
spread_drawn(uint64_t number)
{
	return flowhash_mum(number ^ FLOWHASH_K0, FLOWHASH_K1) % EDGE_WORKERS_MAX;
}

/* Nine tenths to one worker. */
static unsigned
spread_skewed(uint64_t number)
{
	return number % 10 ? 3 : (unsigned)(number / 10 % 3);
}

/* One source, five times its limit. */
Test(detection, holds_a_source_to_its_limit_however_its_flows_are_spread_over_workers)
{
	enum { LIMIT = 10000, SECONDS = 10, PPS = 5 * LIMIT };
	static const char config[] = HEAD
		"guard: {defaults: {mode: always, check: none, unknown: 0k, source: {packets: 10k}}}\nservices:\n" WEB;
	static unsigned (*const spreads[])(uint64_t) = {spread_one, spread_even, spread_drawn, spread_skewed};
	struct frame frame = {.len = 54};
	struct rte_mbuf *mbuf = frames_mbuf(clients[TCP4].frames[1]);

	memcpy(frame.octets, rte_pktmbuf_mtod(mbuf, void *), frame.len);
	rte_pktmbuf_free(mbuf);
	for (unsigned s = 0; s < ARRAY_LEN(spreads); s++) {
		struct edge *edge = edge_new(config, EDGE_WORKERS_MAX);
		double limit = LIMIT * (SECONDS + 1.0), passed; /* a second's worth may come at once */

		edge_pass(edge, CLOCK_NS_PER_S);
		edge_pass(edge, CLOCK_NS_PER_S);
		cr_assert(edge_is_armed(edge));
		for (uint64_t i = 0; i < (uint64_t)PPS * SECONDS; i++) {
			mbuf = mbuf_of(&frame);
			edge_burst(edge, spreads[s](i), &mbuf, 1);
			edge_pass(edge, CLOCK_NS_PER_S / PPS);
		}
		passed = (double)edge_verdict(edge, VERDICT_FORWARDED);
		cr_expect_float_eq(passed, limit, limit / 10, "row %u: %.0f of %.0f", s, passed, limit);
		edge_free(edge);
	}
	cr_expect_eq(frames_in_use(), 0);
}
