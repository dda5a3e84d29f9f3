/* SPDX-License-Identifier: BSD-2-Clause */
/* From an expression or an object to what a packet comes to, through both processes' halves. */
#include <criterion/criterion.h>
#include <errno.h>
#include <pcap.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/program.h"
#include "dataplane/filters.h"
#include "tests/unit/stage/frames.h"

enum { SERVICE = 3 };

#define NOW UINT64_C(1000000000)

static struct burst burst;
static uint64_t mark; /* of the last packet */
static char fault[PROGRAM_FAULT_MAX];

TestSuite(filter, .init = frames_init);

/* Filters of these programs, for SERVICE. NULL: refused. */
static struct filters *
filters_of(const struct program *const *programs, unsigned n, const uint8_t *actions)
{
	static uint64_t insns[ABI_FILTERS_MAX][ABI_FILTER_INSNS_MAX];
	static struct abi_filter heads[ABI_FILTERS_MAX];
	struct filters_spec spec = {
		.n = n, .n_workers = 1, .filters = heads, .insns = (const uint64_t(*)[ABI_FILTER_INSNS_MAX])insns};
	struct filters *filters = NULL;
	unsigned at;

	for (unsigned i = 0; i < n; i++) {
		heads[i] = (struct abi_filter){.type = ABI_FILTER,
					       .index = (uint16_t)i,
					       .service = SERVICE,
					       .vip = ABI_FILTER_EVERY,
					       .n_insns = programs[i]->n,
					       .key = i + 1,
					       .kind = programs[i]->kind,
					       .action = actions[i]};
		memcpy(insns[i], programs[i]->insns, sizeof(insns[i]));
	}
	return filters_new(&spec, &filters, &at) == 0 ? filters : NULL;
}

static struct program
compiled(const char *expression)
{
	struct program program;

	cr_assert_eq(program_compile(expression, &program, fault), 0, "%s: %s", expression, fault);
	return program;
}

static struct packet *
packet(const char *hex)
{
	struct packet *p;

	frames_clear(&burst);
	p = frames_add(&burst, hex);
	frames_parse(&burst);
	p->service = SERVICE;
	return p;
}

#define NTP4 ETH4 IP4("001c", "0000", "11") "007b0035 0008 0000"
#define NTP6 ETH6 IP6("0008", "11") "007b0035 0008 0000"

Test(filter, matches_what_its_expression_says)
{
	static const struct {
		const char *expression, *hex;
		bool matches;
	} rows[] = {
		{"udp and src port 123", NTP4, true},
		{"udp and src port 123", NTP6, true},
		{"udp and src port 123 and greater 400", NTP4, false},
		{"udp and src port 124", NTP4, false},
		{"tcp[tcpflags] & tcp-syn != 0", ETH4 IP4("0028", "0000", "06") TCP("02"), true},
		{"tcp[tcpflags] & tcp-syn != 0", ETH4 IP4("0028", "0000", "06") TCP("10"), false},
		{"src net 10.77.0.0/24", ETH4 IP4("0028", "0000", "06") TCP("10"), true},
		{"ip6 and src net fd77::/16", ETH6 IP6("0014", "06") TCP("10"), true},
		{"udp[200] = 0", NTP4, false},
		{"len <= 42", NTP4, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct program program = compiled(rows[i].expression);
		const struct program *programs[] = {&program};
		struct filters *filters = filters_of(programs, 1, (const uint8_t[]){ABI_FILTER_DROP});

		cr_assert_not_null(filters);
		cr_expect_eq(filter_packet(filters, 0, packet(rows[i].hex), NOW, &mark), rows[i].matches, "%s", rows[i].expression);
		cr_expect_eq(filters_hits(filters, 0), rows[i].matches);
		burst.packets[0].service = SERVICE + 1;
		cr_expect_not(filter_packet(filters, 0, &burst.packets[0], NOW, &mark), "another service's");
		filters_free(filters);
	}
	frames_clear(&burst);
}

Test(filter, runs_in_order_and_counts_without_dropping)
{
	struct program udp = compiled("udp"), ntp = compiled("src port 123"); /* have machine code */
	const struct program *programs[] = {&udp, &ntp, &udp};
	struct filters *filters =
		filters_of(programs, 3, (const uint8_t[]){ABI_FILTER_COUNT, ABI_FILTER_DROP, ABI_FILTER_COUNT});

	cr_assert_not_null(filters);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_not_null(filters->list[i].run);
	cr_expect(filter_packet(filters, 0, packet(NTP4), NOW, &mark));
	cr_expect_not(filter_packet(filters, 0, packet(ETH4 IP4("001c", "0000", "11") UDP("0008")), NOW, &mark));
	cr_expect_eq(filters_hits(filters, 0), 2);
	cr_expect_eq(filters_hits(filters, 1), 1);
	cr_expect_eq(filters_hits(filters, 2), 1, "what was dropped goes no further");
	filters_free(filters);
	frames_clear(&burst);
}

Test(filter, tells_the_first_that_samples_and_lets_the_packet_go_on)
{
	struct program udp = compiled("udp"), tcp = compiled("tcp");
	const struct program *programs[] = {&tcp, &udp, &udp, &udp};
	struct filters *filters = filters_of(
		programs, 4, (const uint8_t[]){ABI_FILTER_SAMPLE, ABI_FILTER_COUNT, ABI_FILTER_SAMPLE, ABI_FILTER_SAMPLE});

	cr_assert_not_null(filters);
	mark = 0;
	cr_expect_not(filter_packet(filters, 0, packet(NTP4), NOW, &mark));
	cr_expect_eq(mark, filters->list[2].key);
	cr_expect_neq(mark, filters->list[3].key);
	cr_expect_eq(filters_hits(filters, 3), 1, "later ones count still");
	mark = 5;
	cr_expect_not(filter_packet(filters, 0, &burst.packets[0], NOW, &mark));
	cr_expect_eq(mark, 5, "a signature was first");
	filters_free(filters);
	frames_clear(&burst);
}

/* libpcap's own interpreter says what is right, over frames with octets turned at random and cut anywhere. */
Test(filter, agrees_with_libpcap_on_every_mutated_frame)
{
	static const char *const expressions[] = {
		"udp and src port 123 and greater 60", "ip[8] > 60 and ip[6:2] & 0x1fff = 0", "ip6[6] = 17 or icmp6",
		"tcp[13] & 7 != 0 and dst port 443", "ether[12:2] = 0x0800 and len > 45", "portrange 50-60 or net 10.0.0.0/8",
		"icmp or (vlan and udp)", "ip proto \\udp and udp[4:2] > 8",
	};
	static const char *const frames[] = {NTP4, NTP6, ETH4 IP4("0028", "0000", "06") TCP("02"),
					     ETH6 IP6("0014", "06") TCP("18"), ETH "81000005 0800 " IP4("001c", "0000", "11") UDP("0008")};
	unsigned matches = 0;

	srandom(1);
	for (size_t e = 0; e < ARRAY_LEN(expressions); e++) {
		struct program program = compiled(expressions[e]);
		const struct program *programs[] = {&program};
		struct filters *filters = filters_of(programs, 1, (const uint8_t[]){ABI_FILTER_DROP});

		cr_assert_not_null(filters, "%s", expressions[e]);
		for (unsigned round = 0; round < 2000; round++) {
			struct packet *p = packet(frames[round % ARRAY_LEN(frames)]);
			unsigned len = p->mbuf->data_len;
			bool right;

			for (unsigned k = 0; k < round % 4; k++)
				*packet_at(p, (uint16_t)((unsigned)random() % len)) = (uint8_t)random();
			if (round % 3 == 0)
				rte_pktmbuf_trim(p->mbuf, (uint16_t)((unsigned)random() % (len - 14)));
			right = bpf_filter((const struct bpf_insn *)(const void *)program.insns, p->frame, p->mbuf->pkt_len,
					   p->mbuf->data_len) != 0;
			p->service = SERVICE;
			cr_assert_eq(filter_packet(filters, 0, p, NOW, &mark), right, "%s, round %u", expressions[e], round);
			matches += right;
		}
		filters_free(filters);
	}
	frames_clear(&burst);
	cr_expect_gt(matches, 1000);
}

Test(filter, refuses_expressions_with_their_fault)
{
	static const struct {
		const char *expression, *fault;
	} rows[] = {
		{"", "empty"}, {"  ", "empty"}, {"udp and", "syntax error"}, {"udp port 70000", "illegal port"},
		{"host 1.2.3.4.5", ""},
	};
	struct program program = {.n = 77};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cr_expect_eq(program_compile(rows[i].expression, &program, fault), -EINVAL, "%s", rows[i].expression);
		cr_expect(strstr(fault, rows[i].fault), "%s: %s", rows[i].expression, fault);
	}
	cr_expect_eq(program.n, 77, "untouched");
}

Test(filter, loads_an_object_and_refuses_what_is_none)
{
	const char *object = getenv("FILTER_OBJECT");
	char big[1200] = ETH4 "450001c8 12340000 40110000 " CLIENT4 VIP4 "007b0035 01b40000 ";
	struct program program;
	const struct program *programs[] = {&program};
	struct filters *filters;

	cr_assert_eq(program_load(object, PROGRAM_SECTION, &program, fault), 0, "%s", fault);
	filters = filters_of(programs, 1, (const uint8_t[]){ABI_FILTER_DROP});
	cr_assert_not_null(filters);
	cr_expect_not(filter_packet(filters, 0, packet(NTP4), NOW, &mark), "too short");
	for (unsigned i = 0; i < 428; i++)
		strcat(big, "00");
	cr_expect(filter_packet(filters, 0, packet(big), NOW, &mark));
	filters_free(filters);
	frames_clear(&burst);
	cr_expect_eq(program_load(object, "nothing", &program, fault), -EINVAL);
	cr_expect(strstr(fault, "no section nothing"), "%s", fault);
	cr_expect_eq(program_load(object, "map", &program, fault), -EINVAL);
	cr_expect(strstr(fault, "relocations"), "%s", fault);
	cr_expect_lt(program_load("/proc/self/exe", PROGRAM_SECTION, &program, fault), 0);
	cr_expect_eq(program_load("/nowhere", PROGRAM_SECTION, &program, fault), -EINVAL);
	/* Well-formed for the control plane; the dataplane's verifier refuses them. */
	for (unsigned i = 0; i < 2; i++) {
		cr_assert_eq(program_load(object, i ? "loop" : "beyond", &program, fault), 0, "%s", fault);
		cr_expect_null(filters_of(programs, 1, (const uint8_t[]){ABI_FILTER_DROP}));
	}
}

Test(filter, survives_every_cut_and_many_wrong_octets_of_an_object)
{
	FILE *file = fopen(getenv("FILTER_OBJECT"), "rb");
	static uint8_t octets[65536], copy[sizeof(octets)];
	struct program program;
	size_t len;

	cr_assert_not_null(file);
	len = fread(octets, 1, sizeof(octets), file);
	fclose(file);
	for (size_t cut = 0; cut < len; cut += 7)
		cr_expect_neq(program_read(octets, cut, PROGRAM_SECTION, &program, fault), 0, "cut at %zu", cut);
	srandom(2);
	for (unsigned round = 0; round < 3000; round++) {
		int err;

		memcpy(copy, octets, len);
		copy[(size_t)random() % len] = (uint8_t)random();
		copy[(size_t)random() % 64] = (uint8_t)random();
		err = program_read(copy, len, PROGRAM_SECTION, &program, fault);
		cr_expect(err == 0 || err == -EINVAL || err == -E2BIG);
	}
}
