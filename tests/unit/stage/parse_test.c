/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "dataplane/stage/parse.h"
#include "frames.h"

TestSuite(parse, .init = frames_init);

struct row {
	const char *name;
	const char *hex;
	uint8_t verdict;
	uint8_t error;
	uint8_t flags;
	uint8_t protocol;
	uint16_t l4_at;
	uint16_t src_port;
	uint16_t dst_port;
};

static struct burst burst;

static void
row_check(const struct row *row, const struct packet *p)
{
	cr_expect_eq(p->verdict, row->verdict, "%s: verdict %u", row->name, p->verdict);
	cr_expect_eq(p->error, row->error, "%s: error %u", row->name, p->error);
	if (row->verdict != VERDICT_OPEN)
		return;
	cr_expect_eq(p->flags, row->flags, "%s: flags %#x, not %#x", row->name, p->flags, row->flags);
	cr_expect_eq(p->protocol, row->protocol, "%s: protocol %u", row->name, p->protocol);
	cr_expect_eq(p->l4_at, row->l4_at, "%s: l4_at %u", row->name, p->l4_at);
	cr_expect_eq(p->src_port, row->src_port, "%s: src_port %u", row->name, p->src_port);
	cr_expect_eq(p->dst_port, row->dst_port, "%s: dst_port %u", row->name, p->dst_port);
}

static void
rows_check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		frames_clear(&burst);
		frames_parse((frames_add(&burst, rows[i].hex), &burst));
		row_check(&rows[i], &burst.packets[0]);
	}
	frames_clear(&burst);
	cr_expect_eq(frames_in_use(), 0);
}

#define PORTS	PACKET_HAS_PORTS
#define V6	(PACKET_V6 | PACKET_DONT_FRAGMENT)
#define QUIC_V1 "c000000001 00000000 "
#define QUIC_V2 "d06b3343cf 00000000 "

Test(parse, finds_the_flow_in_every_kind_of_header)
{
	static const struct row rows[] = {
		{"SYN", ETH4 IP4("0028", "0000", "06") TCP("02"), 0, 0, PORTS | PACKET_OPENS, 6, 34, 5000, 443},
		{"SYN and ACK", ETH4 IP4("0028", "4000", "06") TCP("12"), 0, 0, PORTS | PACKET_DONT_FRAGMENT, 6, 34,
		 5000, 443},
		{"SYN with ECN", ETH4 IP4("0028", "0000", "06") TCP("c2"), 0, 0, PORTS | PACKET_OPENS, 6, 34, 5000,
		 443},
		{"padded", ETH4 IP4("0028", "0000", "06") TCP("10") "000000000000", 0, 0, PORTS, 6, 34, 5000, 443},
		{"VLAN", ETH "81000005 0800 " IP4("001c", "0000", "11") UDP("0008"), 0, 0, PORTS, 17, 38, 5000, 53},
		{"QinQ", ETH "88a80005 81000006 0800 " IP4("001c", "0000", "11") UDP("0008"), 0, 0, PORTS, 17, 42, 5000,
		 53},
		{"options", ETH4 "46000020 12340000 40110000 " CLIENT4 VIP4 "01010101" UDP("0008"), 0, 0, PORTS, 17, 38,
		 5000, 53},
		{"QUIC 1", ETH4 IP4("0025", "0000", "11") UDP_443("0011") QUIC_V1, 0, 0, PORTS | PACKET_OPENS, 17, 34,
		 5000, 443},
		{"QUIC 2", ETH4 IP4("0025", "0000", "11") UDP_443("0011") QUIC_V2, 0, 0, PORTS | PACKET_OPENS, 17, 34,
		 5000, 443},
		{"QUIC handshake", ETH4 IP4("0025", "0000", "11") UDP_443("0011") "e000000001 00000000", 0, 0, PORTS,
		 17, 34, 5000, 443},
		{"QUIC short", ETH4 IP4("0025", "0000", "11") UDP_443("0011") "4000000001 00000000", 0, 0, PORTS, 17,
		 34, 5000, 443},
		{"GRE", ETH4 IP4("0018", "0000", "2f") "00000800", 0, 0, 0, 47, 34, 0, 0},
		{"IPv6 SYN", ETH6 IP6("0014", "06") TCP("02"), 0, 0, V6 | PORTS | PACKET_OPENS, 6, 54, 5000, 443},
		{"IPv6 UDP", ETH6 IP6("0008", "11") UDP("0008"), 0, 0, V6 | PORTS, 17, 54, 5000, 53},
		{"hop-by-hop", ETH6 IP6("0010", "00") "1100010400000000" UDP("0008"), 0, 0, V6 | PORTS, 17, 62, 5000,
		 53},
		{"routing and options", ETH6 IP6("0018", "2b") "3c00000000000000 1100010400000000" UDP("0008"), 0, 0,
		 V6 | PORTS, 17, 70, 5000, 53},
		{"AH", ETH6 IP6("0018", "33") "1102000000000001 0000000100000000" UDP("0008"), 0, 0, V6 | PORTS, 17, 70,
		 5000, 53},
		{"atomic fragment", ETH6 IP6("0010", "2c") "1100000000000007" UDP("0008"), 0, 0, V6 | PORTS, 17, 62,
		 5000, 53},
		{"no next header", ETH6 IP6("0000", "3b"), 0, 0, V6, 59, 54, 0, 0},
		{"echo", ETH4 IP4("001c", "0000", "01") "0800000000010001", 0, 0, PACKET_ECHO, 1, 34, 0, 0},
		{"IPv6 echo", ETH6 IP6("0008", "3a") "8000000000010001", 0, 0, V6 | PACKET_ECHO, 58, 54, 0, 0},
	};

	rows_check(rows, ARRAY_LEN(rows));
}

Test(parse, gives_the_kernel_what_is_not_ip_or_not_for_one)
{
	static const struct row rows[] = {
		{"ARP", ETH "0806 0001", VERDICT_KERNEL_UNICAST, 0, 0, 0, 0, 0, 0},
		{"ARP request", "ffffffffffff 020000000002 0806 0001", VERDICT_KERNEL_BROADCAST, 0, 0, 0, 0, 0, 0},
		{"LLDP", "0180c200000e 020000000002 88cc", VERDICT_KERNEL_MULTICAST, 0, 0, 0, 0, 0, 0},
		{"IPv6 multicast", "333300000001 020000000002 86dd " IP6("0000", "3b"), VERDICT_KERNEL_MULTICAST, 0, 0,
		 0, 0, 0, 0},
		{"VIP by broadcast", "ffffffffffff 020000000002 0800 " IP4("0028", "0000", "06") TCP("02"),
		 VERDICT_KERNEL_BROADCAST, 0, 0, 0, 0, 0, 0},
		{"three tags", ETH "88a80005 81000006 81000007 0800", VERDICT_KERNEL_UNICAST, 0, 0, 0, 0, 0, 0},
	};

	rows_check(rows, ARRAY_LEN(rows));
}

Test(parse, notes_what_is_wrong)
{
	static const struct row rows[] = {
		{"no frame", "0200", VERDICT_L2_TRUNCATED, 0, 0, 0, 0, 0, 0},
		{"cut tag", ETH "8100 0005", VERDICT_L2_TRUNCATED, 0, 0, 0, 0, 0, 0},
		{"cut IPv4", ETH4 "4500002812340000", VERDICT_IP_TRUNCATED, 0, 0, 0, 0, 0, 0},
		{"cut IPv6", ETH6 "60000000", VERDICT_IP_TRUNCATED, 0, 0, 0, 0, 0, 0},
		{"version", ETH4 "65000014 12340000 40060000 " CLIENT4 VIP4, 0, VERDICT_IP_HEADER, 0, 0, 0, 0, 0},
		{"IPv6 version", ETH6 "40000000 00003b40" CLIENT6 VIP6, 0, VERDICT_IP_HEADER, V6, 0, 0, 0, 0},
		{"header length", ETH4 "44000014 12340000 40060000 " CLIENT4 VIP4, 0, VERDICT_IP_HEADER, 0, 0, 0, 0, 0},
		{"options beyond", ETH4 "4f000014 12340000 40060000 " CLIENT4 VIP4, 0, VERDICT_IP_LENGTH, 0, 0, 0, 0,
		 0},
		{"length beyond", ETH4 IP4("0029", "0000", "06") TCP("02"), 0, VERDICT_IP_LENGTH, 0, 0, 0, 0, 0},
		{"length within", ETH4 IP4("0013", "0000", "06") TCP("02"), 0, VERDICT_IP_LENGTH, 0, 0, 0, 0, 0},
		{"IPv6 length", ETH6 IP6("0015", "06") TCP("02"), 0, VERDICT_IP_LENGTH, V6, 0, 0, 0, 0},
		{"IPv6 length 65535", ETH6 IP6("ffff", "06") TCP("02"), 0, VERDICT_IP_LENGTH, V6, 0, 0, 0, 0},
		{"extension beyond", ETH6 IP6("0008", "00") "1101000000000000", 0, VERDICT_IP6_EXTENSIONS, V6, 0, 0, 0,
		 0},
		{"two fragment headers", ETH6 IP6("0018", "2c") "2c00000000000007 1100000000000007" UDP("0008"), 0,
		 VERDICT_IP6_EXTENSIONS, V6, 0, 0, 0, 0},
		{"cut TCP", ETH4 IP4("0027", "0000", "06") TCP("02"), 0, VERDICT_L4_TRUNCATED, 0, 6, 34, 0, 0},
		{"TCP offset", ETH4 IP4("0028", "0000", "06") "138801bb 00000001 00000000 4002ffff 00000000", 0,
		 VERDICT_L4_TRUNCATED, 0, 6, 34, 0, 0},
		{"TCP options beyond", ETH4 IP4("0028", "0000", "06") "138801bb 00000001 00000000 6002ffff 00000000", 0,
		 VERDICT_L4_TRUNCATED, 0, 6, 34, 0, 0},
		{"cut UDP", ETH4 IP4("001b", "0000", "11") UDP("0008"), 0, VERDICT_L4_TRUNCATED, 0, 17, 34, 0, 0},
		{"cut ICMP", ETH4 IP4("001b", "0000", "01") "0800000000010001", 0, VERDICT_L4_TRUNCATED, 0, 1, 34, 0,
		 0},
		{"echo reply", ETH4 IP4("001c", "0000", "01") "0000000000010001", 0, VERDICT_ICMP_OTHER, 0, 1, 34, 0,
		 0},
		{"neighbour", ETH6 IP6("0008", "3a") "8700000000000000", 0, VERDICT_ICMP_OTHER, V6, 58, 54, 0, 0},
	};

	rows_check(rows, ARRAY_LEN(rows));
}

#define TCP_OF(ports)	    ports "00000001 00000000 5010ffff 00000000 "
#define IP4_FROM(src)	    "45000028 12340000 40060000 " src VIP4
#define IP6_FROM(src)	    "60000000 00140640 " src VIP6

Test(parse, notes_what_no_client_sends)
{
	static const struct row rows[] = {
		{"from port 0", ETH4 IP4("0028", "0000", "06") TCP_OF("000001bb"), 0, VERDICT_PORT_ZERO, PORTS, 6, 34,
		 0, 443},
		{"to port 0", ETH4 IP4("001c", "0000", "11") "13880000 00080000", 0, VERDICT_PORT_ZERO, PORTS, 17, 34,
		 5000, 0},
		{"UDP length beyond", ETH4 IP4("001c", "0000", "11") UDP("0009"), 0, VERDICT_UDP_LENGTH, PORTS, 17, 34,
		 5000, 53},
		{"UDP length within", ETH4 IP4("001c", "0000", "11") UDP("0007"), 0, VERDICT_UDP_LENGTH, PORTS, 17, 34,
		 5000, 53},
		{"UDP length 0", ETH6 IP6("0008", "11") UDP("0000"), 0, VERDICT_UDP_LENGTH, V6 | PORTS, 17, 54, 5000,
		 53},
		{"trailing octets", ETH4 IP4("001d", "0000", "11") UDP("0008") "00", 0, 0, PORTS, 17, 34, 5000, 53},
		{"LAND", ETH4 IP4_FROM(VIP4) TCP("10"), 0, VERDICT_LAND, PORTS, 6, 34, 5000, 443},
		{"LAND, IPv6", ETH6 IP6_FROM(VIP6) TCP("10"), 0, VERDICT_LAND, V6 | PORTS, 6, 54, 5000, 443},
		{"from 0.0.0.0", ETH4 IP4_FROM("00000000") TCP("10"), 0, VERDICT_SOURCE_MARTIAN, PORTS, 6, 34, 5000,
		 443},
		{"from loopback", ETH4 IP4_FROM("7f000001") TCP("10"), 0, VERDICT_SOURCE_MARTIAN, PORTS, 6, 34, 5000,
		 443},
		{"from 126.255.255.255", ETH4 IP4_FROM("7effffff") TCP("10"), 0, 0, PORTS, 6, 34, 5000, 443},
		{"from multicast", ETH4 IP4_FROM("e0000001") TCP("10"), 0, VERDICT_SOURCE_MARTIAN, PORTS, 6, 34, 5000,
		 443},
		{"from broadcast", ETH4 IP4_FROM("ffffffff") TCP("10"), 0, VERDICT_SOURCE_MARTIAN, PORTS, 6, 34, 5000,
		 443},
		{"from ::", ETH6 IP6_FROM("00000000000000000000000000000000") TCP("10"), 0,
		 VERDICT_SOURCE_MARTIAN, V6 | PORTS, 6, 54, 5000, 443},
		{"from ::1", ETH6 IP6_FROM("00000000000000000000000000000001") TCP("10"), 0,
		 VERDICT_SOURCE_MARTIAN, V6 | PORTS, 6, 54, 5000, 443},
		{"from fe80::1", ETH6 IP6_FROM("fe800000000000000000000000000001") TCP("10"), 0,
		 VERDICT_SOURCE_MARTIAN, V6 | PORTS, 6, 54, 5000, 443},
		{"from ff02::1", ETH6 IP6_FROM("ff020000000000000000000000000001") TCP("10"), 0,
		 VERDICT_SOURCE_MARTIAN, V6 | PORTS, 6, 54, 5000, 443},
		{"from a mapped address", ETH6 IP6_FROM("00000000000000000000ffff0a4d0009") TCP("10"), 0,
		 VERDICT_SOURCE_MARTIAN, V6 | PORTS, 6, 54, 5000, 443},
		{"from a translator", ETH6 IP6_FROM("0064ff9b0000000000000000 0a4d0009") TCP("10"), 0, 0,
		 V6 | PORTS, 6, 54, 5000, 443},
	};

	rows_check(rows, ARRAY_LEN(rows));
}

/* All 64 sets of FIN, SYN, RST, PSH, ACK and URG; ECE and CWR (RFC 3168) are anybody's. */
Test(parse, takes_the_tcp_flags_that_stacks_send_and_no_others)
{
	for (unsigned flags = 0; flags < 256; flags++) {
		bool fin = flags & 1, syn = flags & 2, rst = flags & 4, ack = flags & 16, urg = flags & 32;
		bool fits = (syn + rst + (ack && !syn && !rst) == 1) && !((syn || rst) && (fin || urg));
		struct packet *p = frames_add(&burst, ETH4 IP4("0028", "0000", "06") TCP("10"));

		packet_at(p, 34)[13] = (uint8_t)flags;
		frames_parse(&burst);
		cr_expect_eq(p->error, fits ? VERDICT_OPEN : VERDICT_TCP_FLAGS, "flags %#x", flags);
		frames_clear(&burst);
	}
}

#define HBH	"0000010400000000 "
#define HBH_UDP "1100010400000000 "

Test(parse, walks_eight_extension_headers_and_no_more)
{
	static const struct row rows[] = {
		{"eight", ETH6 IP6("0048", "00") HBH HBH HBH HBH HBH HBH HBH HBH_UDP UDP("0008"), 0, 0, V6 | PORTS, 17,
		 118, 5000, 53},
		{"nine", ETH6 IP6("0050", "00") HBH HBH HBH HBH HBH HBH HBH HBH HBH_UDP UDP("0008"), 0,
		 VERDICT_IP6_EXTENSIONS, V6, 0, 0, 0, 0},
	};

	rows_check(rows, ARRAY_LEN(rows));
}

#define FIRST PACKET_FRAGMENT
#define LATER (PACKET_FRAGMENT | PACKET_FRAGMENT_LATER)

Test(parse, tells_fragments_and_impossible_ones)
{
	static const struct row rows[] = {
		{"first", ETH4 IP4("001c", "2000", "11") UDP("0100"), 0, 0, FIRST | PORTS, 17, 34, 5000, 53},
		{"later", ETH4 IP4("001c", "2001", "11") UDP("0100"), 0, 0, LATER, 17, 34, 0, 0},
		{"last", ETH4 IP4("0018", "0002", "11") "01020304", 0, 0, LATER, 17, 34, 0, 0},
		{"not of eights", ETH4 IP4("0018", "2002", "11") "01020304", 0, VERDICT_FRAGMENT_INVALID, LATER, 17, 34,
		 0, 0},
		{"empty", ETH4 IP4("0014", "0002", "11"), 0, VERDICT_FRAGMENT_INVALID, LATER, 17, 34, 0, 0},
		{"beyond 65535", ETH4 IP4("001c", "1fff", "11") UDP("0100"), 0, VERDICT_FRAGMENT_INVALID, LATER, 17, 34,
		 0, 0},
		{"over the flags", ETH4 IP4("001c", "2001", "06") UDP("0100"), 0, VERDICT_FRAGMENT_OVERLAP, LATER, 6,
		 34, 0, 0},
		{"over the checksum", ETH4 IP4("001c", "2002", "06") UDP("0100"), 0, VERDICT_FRAGMENT_OVERLAP, LATER, 6,
		 34, 0, 0},
		{"behind the header", ETH4 IP4("001c", "2003", "06") UDP("0100"), 0, 0, LATER, 6, 34, 0, 0},
		{"short first", ETH4 IP4("001c", "2000", "06") UDP("0100"), 0, VERDICT_FRAGMENT_TINY, FIRST, 6, 34, 0,
		 0},
		{"IPv6 short first", ETH6 IP6("0010", "2c") "0600000100000007" UDP("0100"), 0, VERDICT_FRAGMENT_TINY,
		 V6 | FIRST, 6, 62, 0, 0},
		{"ICMP", ETH4 IP4("001c", "2000", "01") "0800000000010001", 0, VERDICT_ICMP_OTHER, FIRST, 1, 34, 0, 0},
		{"IPv6 first", ETH6 IP6("0010", "2c") "1100000100000007" UDP("0100"), 0, 0, V6 | FIRST | PORTS, 17, 62,
		 5000, 53},
		{"IPv6 later", ETH6 IP6("0010", "2c") "1100000900000007" UDP("0100"), 0, 0, V6 | LATER, 17, 62, 0, 0},
		{"IPv6 later options", ETH6 IP6("0010", "2c") "3c00000900000007" UDP("0100"), 0, 0, V6 | LATER, 60, 62,
		 0, 0},
		{"IPv6 empty", ETH6 IP6("0008", "2c") "1100000800000007", 0, VERDICT_FRAGMENT_INVALID, V6 | LATER, 17,
		 62, 0, 0},
	};

	rows_check(rows, ARRAY_LEN(rows));
}

#define ERROR4 "0304000000000500 "
#define ERROR6 "0200000000000500 "

Test(parse, takes_the_flow_that_an_icmp_error_quotes)
{
	static const struct row rows[] = {
		{"8 octets", ETH4 IP4("0038", "0000", "01") ERROR4 QUOTED4("05dc", "4000", "06") "01bb1388 00000001", 0,
		 0, PORTS | PACKET_ICMP_ERROR, 6, 34, 5000, 443},
		{"7 octets", ETH4 IP4("0037", "0000", "01") ERROR4 QUOTED4("05dc", "4000", "06") "01bb1388 000000", 0,
		 VERDICT_ICMP_QUOTE, 0, 1, 34, 0, 0},
		{"no quote", ETH4 IP4("001c", "0000", "01") ERROR4, 0, VERDICT_ICMP_QUOTE, 0, 1, 34, 0, 0},
		{"of a later fragment",
		 ETH4 IP4("0038", "0000", "01") ERROR4 QUOTED4("05dc", "0001", "06") "01bb1388 00000001", 0,
		 VERDICT_ICMP_QUOTE, 0, 1, 34, 0, 0},
		{"wrong version",
		 ETH4 IP4("0038", "0000", "01") ERROR4 "65000000 00000000 00000000 " VIP4 CLIENT4 "01bb1388 00000001",
		 0, VERDICT_ICMP_QUOTE, 0, 1, 34, 0, 0},
		{"time exceeded",
		 ETH4 IP4("0038", "0000", "01") "0b00000000000000" QUOTED4("05dc", "4000", "11") "00351388 00000001", 0,
		 0, PORTS | PACKET_ICMP_ERROR, 17, 34, 5000, 53},
		{"source quench",
		 ETH4 IP4("0038", "0000", "01") "0400000000000000" QUOTED4("05dc", "4000", "11") "00351388 00000001", 0,
		 VERDICT_ICMP_OTHER, 0, 1, 34, 0, 0},
		{"quoted options",
		 ETH4 IP4("003c", "0000", "01") ERROR4 "46000020 12340000 40110000 " VIP4 CLIENT4
						       "01010101 00351388 00000001",
		 0, 0, PORTS | PACKET_ICMP_ERROR, 17, 34, 5000, 53},
		{"IPv6 too big", ETH6 IP6("0038", "3a") ERROR6 QUOTED6("0500", "06") "01bb1388 00000001", 0, 0,
		 V6 | PORTS | PACKET_ICMP_ERROR, 6, 54, 5000, 443},
		{"IPv6 options",
		 ETH6 IP6("0040", "3a") ERROR6 QUOTED6("0500", "3c") "1100010400000000 00351388 00000001", 0, 0,
		 V6 | PORTS | PACKET_ICMP_ERROR, 17, 54, 5000, 53},
		{"IPv6 cut", ETH6 IP6("0037", "3a") ERROR6 QUOTED6("0500", "06") "01bb1388 000000", 0,
		 VERDICT_ICMP_QUOTE, V6, 58, 54, 0, 0},
	};

	rows_check(rows, ARRAY_LEN(rows));
	frames_parse((frames_add(&burst, rows[0].hex), &burst));
	cr_expect_eq(burst.packets[0].src_at, 34 + 8 + 16);
	cr_expect_eq(burst.packets[0].dst_at, 34 + 8 + 12);
	frames_parse((frames_clear(&burst), frames_add(&burst, rows[8].hex), &burst));
	cr_expect_eq(burst.packets[0].src_at, 54 + 8 + 24);
	cr_expect_eq(burst.packets[0].dst_at, 54 + 8 + 8);
}

Test(parse, believes_the_nic_about_a_wrong_checksum)
{
	struct packet *p = frames_add(&burst, ETH4 IP4("0028", "0000", "06") TCP("02"));

	p->mbuf->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_BAD;
	frames_parse(&burst);
	cr_expect_eq(p->error, VERDICT_IP_CHECKSUM);
}

/* Cut after each octet, and with each octet turned to ff: nothing outside of the frame is read (under ASan), and every
 * offset stays inside. */
Test(parse, survives_every_cut_and_every_wrong_octet)
{
	static const char *const hex[] = {
		ETH "88a80005 81000006 0800 " IP4("0028", "0000", "06") TCP("02"),
		ETH4 IP4("0038", "0000", "01") ERROR4 QUOTED4("05dc", "4000", "06") "01bb1388 00000001",
		ETH6 IP6("0018", "2b") "2c00000000000000 1100000100000007" UDP("0008"),
		ETH6 IP6("0040", "3a") ERROR6 QUOTED6("0500", "3c") "1100010400000000 00351388 00000001",
	};

	for (size_t i = 0; i < ARRAY_LEN(hex); i++) {
		unsigned len = (frames_add(&burst, hex[i]), burst.packets[0].mbuf->data_len);

		for (unsigned at = 0; at < 2 * len; at++) {
			struct packet *p = (frames_clear(&burst), frames_add(&burst, hex[i]));

			if (at < len)
				rte_pktmbuf_trim(p->mbuf, (uint16_t)(len - at));
			else
				*packet_at(p, (uint16_t)(at - len)) = 0xff;
			frames_parse(&burst);
			cr_assert(p->verdict != VERDICT_OPEN || p->error != VERDICT_OPEN ||
				  (p->l4_at <= len && p->src_at + 4U <= len && p->dst_at + 4U <= len));
		}
		frames_clear(&burst);
	}
}

Test(parse, gathers_headers_from_many_segments)
{
	static const struct row row = {"pieces",
				       ETH6 IP6("0040", "3a")
					       ERROR6 QUOTED6("0500", "3c") "1100010400000000 00351388 00000001",
				       0,
				       0,
				       V6 | PORTS | PACKET_ICMP_ERROR,
				       17,
				       54,
				       5000,
				       53};

	for (unsigned piece = 8; piece < 120; piece++) {
		struct packet *p = frames_add_mbuf(&burst, frames_mbuf_in_pieces(row.hex, piece));
		uint32_t len = p->mbuf->pkt_len;

		frames_parse(&burst);
		row_check(&row, p);
		cr_expect_eq(p->mbuf->pkt_len, len);
		frames_clear(&burst);
	}
	cr_expect_eq(frames_in_use(), 0);
}

Test(parse, copies_a_frame_whose_first_segment_is_shared)
{
	static const struct row row = {
		"shared", ETH4 IP4("0028", "0000", "06") TCP("02"), 0, 0, PORTS | PACKET_OPENS, 6, 34, 5000, 443};
	struct rte_mbuf *mbuf = frames_mbuf_in_pieces(row.hex, 16);
	struct packet *p;

	rte_pktmbuf_refcnt_update(mbuf, 1);
	p = frames_add_mbuf(&burst, mbuf);
	frames_parse(&burst);
	row_check(&row, p);
	cr_expect_neq(p->mbuf, mbuf);
	frames_clear(&burst);
	rte_pktmbuf_free(mbuf);
	cr_expect_eq(frames_in_use(), 0);
}
