/* SPDX-License-Identifier: BSD-2-Clause */
/* configs/signatures.yaml: each rule with payloads that it takes, and payloads of every day that none takes. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/rules.h"
#include "dataplane/signatures.h"
#include "datagram.h"

TestSuite(shipped, .init = frames_init);

enum { UDP_ = IPPROTO_UDP, TCP_ = IPPROTO_TCP };
#define TEXT(text) text, sizeof(text) - 1

struct row {
	const char *rule; /* NULL: none */
	uint8_t protocol;
	uint16_t src, dst;
	const char *payload;
	unsigned len;
};

#define EXAMPLE_COM "\7example\3com\0"
#define X8	    "XXXXXXXX"
#define X64	    X8 X8 X8 X8 X8 X8 X8 X8
#define X512	    X64 X64 X64 X64 X64 X64 X64 X64

static const struct row hits[] = {
	/* DNS: id, flags, counts, question */
	{"dns-any-answer", UDP_, 53, 4444,
	 TEXT("\x12\x34\x81\x80\0\1\0\4\0\0\0\1" EXAMPLE_COM "\0\xff\0\1\xc0\x0c\0\1\0\1")},
	{"dns-any-answer", UDP_, 53, 4444, TEXT("\x0a\x0a\x84\x00\0\1\0\x1e\0\0\0\0\0\0\xff\0\1\0\0\6")},
	{"dns-large-answer", UDP_, 53, 4444,
	 TEXT("\x12\x34\x81\x80\0\1\0\x1c\0\0\0\0" EXAMPLE_COM "\0\x10\0\1\xc0\x0c")},
	{"dns-large-answer", UDP_, 53, 4444, TEXT("\x12\x34\x81\x80\0\1\1\0\0\0\0\0" EXAMPLE_COM "\0\1\0\1\xc0\x0c")},
	{"dns-answer", UDP_, 53, 4444, TEXT("\x12\x34\x83\x80\0\1\0\1\0\0\0\0" EXAMPLE_COM "\0\1\0\1\xc0\x0c")},
	{"ntp-monlist-answer", UDP_, 123, 80, TEXT("\xd7\x00\x03\x2a\0\6\0\x48\0\0\0\1")},
	{"ntp-monlist-answer", UDP_, 123, 80, TEXT("\x97\x05\x02\x14\0\1\0\x20")},
	{"ntp-private-answer", UDP_, 123, 80, TEXT("\x97\x00\x03\x00\0\2\0\x20\x0a\x4d\0\1")},
	{"ntp-control-answer", UDP_, 123, 80, TEXT("\x16\x82\0\1\x06\x15\0\0\0\0\1\x10version=\"ntpd 4.2.6p5\"")},
	{"ssdp-answer", UDP_, 1900, 80,
	 TEXT("HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\n\r\n")},
	{"ssdp-answer", UDP_, 50123, 80,
	 TEXT("HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nExt:\r\nLocation: http://192.0.2.1\r\n")},
	{"ssdp-notify", UDP_, 1900, 80, TEXT("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n")},
	{"cldap-answer", UDP_, 389, 80, TEXT("0\x84\0\0\x0b\xb4\x02\1\7d\x84\0\0\x0b\xab\4\0")},
	{"cldap-answer", UDP_, 389, 80, TEXT("0\x0c\x02\1\1e\x07\n\1\0\4\0\4\0")},
	{"memcached-answer", UDP_, 11211, 80, TEXT("\0\1\0\0\0\2\0\0STAT pid 1\r\nSTAT uptime 9\r\n")},
	{"memcached-answer", UDP_, 11211, 80, TEXT("\0\1\0\0\3\xe8\0\0VALUE a 0 1048576\r\naaaaaaaa")},
	{"memcached-answer-part", UDP_, 11211, 80, TEXT("\0\1\0\7\3\xe8\0\0aaaaaaaaaaaaaaaa")},
	{"chargen-answer", UDP_, 19, 80,
	 TEXT("!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh\r\n")},
	{"chargen-answer", UDP_, 19, 80, TEXT("PQRSTUVWXYZ[\\]^_`abcdefghijk\r\n")},
	{"qotd-answer", UDP_, 17, 80, TEXT("\"My spelling is Wobbly.\" A. A. Milne\r\n")},
	{"snmp-answer", UDP_, 161, 80, TEXT("0\x82\5\xdc\2\1\1\4\6public\xa2\x82\5\xcd\2\1\1")},
	{"snmp-v3-report", UDP_, 161, 80,
	 TEXT("0\x6f\2\1\3"
	      "0\x11\2\4\x12\x34\x56\x78")},
	{"mdns-answer", UDP_, 5353, 80, TEXT("\0\0\x84\0\0\0\0\3\0\0\0\0\x09_services\7_dns-sd\4_udp\5local\0")},
	{"ws-discovery-answer", UDP_, 3702, 80,
	 TEXT("<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>")},
	{"ws-discovery-answer", UDP_, 3702, 80,
	 TEXT("<SOAP-ENV:Envelope xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\">")},
	{"arms-answer", UDP_, 3283, 80, TEXT("\0\1\3\xea" X512 X512)},
	{"coap-answer", UDP_, 5683, 80, TEXT("\x60\x45\x12\x34\xc1\x28\xff</.well-known/core>,</light>")},
	{"rip-v1-answer", UDP_, 520, 80, TEXT("\2\1\0\0\0\2\0\0\x0a\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")},
	{"portmap-answer", UDP_, 111, 80, TEXT("\x65\x72\x0a\x37\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")},
	{"stun-answer", UDP_, 3478, 80,
	 TEXT("\1\1\0\x44\x21\x12\xa4\x42"
	      "abcdefghijkl\0\1\0\x08")},
	{"isakmp-answer", UDP_, 500, 80, TEXT("abcdefghABCDEFGH\1\x10\2\0\0\0\0\0\0\0\0\x50\0\0\0\x34")},
	{"isakmp-answer", UDP_, 4500, 80,
	 TEXT("\0\0\0\0"
	      "abcdefghABCDEFGH\x22\x20\x22\x20\0\0\0\0\0\0\1\x50")},
	{"a2s-answer", UDP_, 27015, 80,
	 TEXT("\xff\xff\xff\xffI\x11"
	      "A server\0de_dust2\0cstrike\0")},
	{"a2s-answer", UDP_, 27015, 80, TEXT("\xfe\xff\xff\xff\x17\0\0\0\2\0\xe0\4")},
	{"quake-answer", UDP_, 27960, 80, TEXT("\xff\xff\xff\xffstatusResponse\n\\sv_hostname\\x\\g_gametype\\0")},
	{"quake-answer", UDP_, 27500, 80, TEXT("\xff\xff\xff\xffn\\*version\\2.40\\maxclients\\8")},
	{"openvpn-answer", UDP_, 1194, 80,
	 TEXT("\x40"
	      "abcdefgh\1\0\0\0\0ABCDEFGH\0\0\0\0")},
	{"tftp-answer", UDP_, 49152, 80, TEXT("\0\3\0\1" X512)},
	{"netbios-answer", UDP_, 137, 80,
	 TEXT("\x80\xf0\x84\0\0\0\0\1\0\0\0\0 CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0!\0\1\0\0\0\0\0\x9b")},
	{"mssql-browser-answer", UDP_, 1434, 80, TEXT("\5\x5a\0ServerName;SQL1;InstanceName;MSSQLSERVER;")},
	{"bittorrent-answer", UDP_, 51413, 80, TEXT("d1:rd2:id20:mnopqrstuvwxyz1234565:nodes208:")},
	{"bittorrent-answer", UDP_, 51413, 80, TEXT("d2:ip6:abcdef1:rd2:id20:mnopqrstuvwxyz123456")},
	{"ubiquiti-discovery-answer", UDP_, 10001, 80, TEXT("\1\0\0\x93\2\0\x0a\x24\xa4\x3c\1\2\3\x0a\0\0\1")},
	{"dvr-dhcpdiscover-answer", UDP_, 37810, 80, TEXT("\x20\0\0\0DHIP\0\0\0\0\0\0\0\0\x8d\2\0\0\0\0\0\0{\"mac\":")},
	{"rdp-udp-answer", UDP_, 3389, 80,
	 TEXT("\xff\xff\xff\xff\0\x40\0\5\x12\x34\x56\x78\4\xd0\4\xd0\0\0\0\0\0\0\0\0")},
	{"jenkins-answer", UDP_, 33848, 80, TEXT("<hudson><version>2.204.1</version><url>http://192.0.2.1/</url>")},
	{"dtls-answer", UDP_, 443, 80, TEXT("\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x2f\3\0\0\x23\0\0\0\0\0\0\0\x23")},
	{"slp-answer", UDP_, 427, 80, TEXT("\2\2\0\xff\xff\0\0\0\0\0\0\1\0\2en\0\0\0\x10")},
	{"plex-answer", UDP_, 32414, 80, TEXT("HTTP/1.0 200 OK\r\nContent-Type: plex/media-server\r\nName: x\r\n")},
	{"xdmcp-answer", UDP_, 177, 80, TEXT("\0\1\0\5\0\x20\0\0\0\4host\0\6uptime")},
	{"ipmi-answer", UDP_, 623, 80, TEXT("\6\0\xff\7\0\0\0\0\0\0\0\0\0\x10\x81\x1c")},
	{"dns-any-query", UDP_, 4444, 53, TEXT("\x12\x34\1\0\0\1\0\0\0\0\0\1" EXAMPLE_COM "\0\xff\0\1\0\0\x29\x10\0")},
	{"ntp-monlist-query", UDP_, 4444, 123, TEXT("\x17\0\3\x2a\0\0\0\0")},
	{"memcached-query", UDP_, 4444, 11211, TEXT("\0\1\0\0\0\1\0\0stats\r\n")},
	{"loic", UDP_, 4444, 80, TEXT("A cat is fine too. Desudesudesu~")},
	{"loic", TCP_, 4444, 80, TEXT("U dun goofed")},
	{"gafgyt-std-hex", UDP_, 4444, 80, TEXT("/x38/xFJ/x93/xID/x9A/x38/xFJ/x93/xID/x9A/x38/xFJ")},
	{"gafgyt-dayzddos", UDP_, 4444, 80, TEXT("dayzddos.co runs you if you read this lol")},
	{"vse-flood", UDP_, 4444, 27015, TEXT("\xff\xff\xff\xffTSource Engine Query\0\x12\x34")},
	{"vse-flood-escaped", UDP_, 4444, 80, TEXT("/x54/x53/x6f/x75/x72/x63/x65/x20/x45/x6e/x67/x69/x6e/x65/x20/x51")},
	{"hping-fill", TCP_, 4444, 80, TEXT(X64 X64)},
	{"slowloris", TCP_, 4444, 80, TEXT("X-a: b\r\n")},
	{"slowloris", TCP_, 4444, 80, TEXT("X-a: 4711\r\n")},
	{"wordpress-pingback", TCP_, 4444, 80,
	 TEXT("GET /?1=2 HTTP/1.0\r\nHost: x\r\nUser-Agent: WordPress/3.8; http://x; verifying pingback from "
	      "192.0.2.1\r\n")},
	{"http-benchmark", TCP_, 4444, 80, TEXT("GET / HTTP/1.0\r\nHost: x\r\nUser-Agent: ApacheBench/2.3\r\n\r\n")},
	{"http-benchmark", TCP_, 4444, 80,
	 TEXT("GET / HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (unknown-x86_64-linux-gnu) Siege/4.1\r\n")},
};

static const struct row benign[] = {
	{NULL, UDP_, 40000, 53, TEXT("\x12\x34\1\0\0\1\0\0\0\0\0\0" EXAMPLE_COM "\0\1\0\1")},
	{NULL, UDP_, 53, 53,
	 TEXT("\xab\xcd\0\x10\0\1\0\0\0\0\0\1" EXAMPLE_COM "\0\x1c\0\1\0\0\x29\x04\xd0\0\0\x80\0\0\0")},
	{NULL, UDP_, 40000, 53,
	 TEXT("\xff\xff\1\0\0\1\0\0\0\0\0\0\4"
	      "any!\3net\0\0\x10\0\1")},
	{NULL, UDP_, 123, 123, TEXT("\x23\2\6\xec\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}, /* NTP client */
	{NULL, UDP_, 123, 123, TEXT("\x24\2\6\xec\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")}, /* NTP server */
	{NULL, UDP_, 123, 123, TEXT("\x16\2\0\1\0\0\0\0\0\0\0\0")},			      /* readvar asked */
	{NULL, UDP_, 40000, 443,
	 TEXT("\xc3\0\0\0\1\x08"
	      "abcdefgh\0\0\x44\xd0XXXXXXXXXXXXXXXX")}, /* QUIC Initial */
	{NULL, UDP_, 40000, 443,
	 TEXT("\x43"
	      "abcdefghijklmnopqrst")}, /* QUIC short */
	{NULL, UDP_, 1194, 1194,
	 TEXT("\x38"
	      "abcdefgh\0\0\0\0\0")}, /* OpenVPN client */
	{NULL, UDP_, 40000, 3478,
	 TEXT("\0\1\0\0\x21\x12\xa4\x42"
	      "abcdefghijkl")},								      /* STUN request */
	{NULL, UDP_, 40000, 443, TEXT("\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x5c\1\0\0\x50")},	      /* DTLS ClientHello */
	{NULL, UDP_, 161, 161, TEXT("0\x26\2\1\1\4\6public\xa0\x19\2\1\1")},		      /* SNMP get */
	{NULL, UDP_, 520, 520, TEXT("\1\1\0\0\0\2\0\0\0\0\0\0")},			      /* RIP request */
	{NULL, UDP_, 5353, 5353, TEXT("\0\0\0\0\0\1\0\0\0\0\0\0\5local\0\0\x0c\0\1")},	      /* mDNS query */
	{NULL, UDP_, 40000, 69, TEXT("\0\1boot.img\0octet\0")},				      /* TFTP read */
	{NULL, UDP_, 500, 500, TEXT("abcdefgh\0\0\0\0\0\0\0\0\1\x10\6\0\0\0\0\0\0\0\0\x50")}, /* other exchange */
	{NULL, UDP_, 2055, 2055, TEXT("\0\5\0\x1e\0\0\0\1\x5f\0\0\0\0\0\0\0")},		      /* NetFlow */
	{NULL, UDP_, 5060, 5060, TEXT("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\n")},
	{NULL, UDP_, 5004, 5004, TEXT("\x80\x60\x12\x34\0\0\0\1\x55\x66\x77\x88" X64)}, /* RTP */
	{NULL, UDP_, 51820, 51820, TEXT("\1\0\0\0abcdefghijklmnop" X64)},		/* WireGuard */
	{NULL, UDP_, 27005, 27015, TEXT("\xff\xff\xff\xffU\xff\xff\xff\xff")},		/* A2S_PLAYER asked */
	{NULL, UDP_, 40000, 5683, TEXT("\x40\1\x12\x34\xbb.well-known\4core")},		/* CoAP get */
	{NULL, TCP_, 40000, 80,
	 TEXT("GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n\r\n")},
	{NULL, TCP_, 40000, 80, TEXT("GET /LOIC HTTP/1.1\r\nUser-Agent: WordPress/6.4; https://example.com\r\n\r\n")},
	{NULL, TCP_, 40000, 80, TEXT("POST /f HTTP/1.1\r\nContent-Length: 5\r\nX-a: b\r\n\r\nhello")},
	{NULL, TCP_, 53, 40000, TEXT("\0\x20\x12\x34\x81\x80\0\1\0\x1e\0\0\0\0")}, /* DNS over TCP */
	{NULL, TCP_, 40000, 443, TEXT("\x16\3\1\2\0\1\0\1\xfc\3\3XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX")},
	{NULL, TCP_, 40000, 443, TEXT("\x17\3\3\0\x20" X8 X8 X8)},
};

static struct burst burst;

static uint64_t
standing(void)
{
	return 0;
}

static struct rules *
shipped_load(void)
{
	struct config_errors errors;
	struct rules *rules = NULL;
	static char text[1 << 17];
	char path[512];
	FILE *file;
	size_t len;

	snprintf(path, sizeof(path), "%s/signatures.yaml", getenv("CONFIGS"));
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	len = fread(text, 1, sizeof(text), file);
	fclose(file);
	cr_assert_eq(rules_parse("signatures.yaml", text, len, &rules, &errors), 0, "%s", errors.list[0].text);
	return rules;
}

static struct signatures *
shipped_compile(const struct rules *rules)
{
	static struct abi_signature list[ABI_SIGNATURES_MAX];
	struct signatures_spec spec = {.rules = list, .n = rules->n, .n_workers = 1};
	struct signatures_fault fault = {0};
	struct signatures *t = NULL;

	for (unsigned i = 0; i < rules->n; i++)
		list[i] = rules->list[i].signature;
	cr_assert_eq(signatures_new(&spec, &t, &fault), 0, "%s", fault.text);
	return t;
}

/* The name of the rule that a row's packet hits, with all of them enabled. */
static const char *
hit(const struct rules *rules, const struct signatures *t, const struct row *row)
{
	static const struct signature_set all = {.words = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
	struct signature s = {.budget_tsc = UINT64_MAX};
	struct datagram d = {
		.protocol = row->protocol, .src = row->src, .dst = row->dst, .payload = row->payload, .len = row->len};
	struct signature_hit found;

	burst.n = 0;
	signature_begin(&s, 0);
	found = signature_packet(&s, t, &all, datagram_add(&burst, &d), standing);
	frames_clear(&burst);
	return found.rule == SIGNATURE_NONE ? "none" : rules->list[found.rule].signature.name;
}

Test(shipped, every_rule_takes_its_packets)
{
	struct rules *rules = shipped_load();
	struct signatures *t = shipped_compile(rules);

	for (unsigned i = 0; i < ARRAY_LEN(hits); i++)
		cr_expect_str_eq(hit(rules, t, &hits[i]), hits[i].rule, "row %u: %s, not %s", i,
				 hit(rules, t, &hits[i]), hits[i].rule);
	for (unsigned i = 0; i < rules->n; i++) {
		cr_expect_gt(signatures_hits(t, i), 0, "%s has no packet", rules->list[i].signature.name);
		cr_expect_neq(rules->list[i].source[0], '\0', "%s says no source", rules->list[i].signature.name);
	}
	signatures_free(t);
	rules_free(rules);
}

Test(shipped, none_takes_what_is_sent_every_day)
{
	struct rules *rules = shipped_load();
	struct signatures *t = shipped_compile(rules);

	for (unsigned i = 0; i < ARRAY_LEN(benign); i++)
		cr_expect_str_eq(hit(rules, t, &benign[i]), "none", "row %u: %s", i, hit(rules, t, &benign[i]));
	signatures_free(t);
	rules_free(rules);
}

/* A client's source port is any from 1024 on: there, what every payload could be is of no service's flood alone. */
Test(shipped, random_octets_from_clients_ports_hit_nothing)
{
	struct rules *rules = shipped_load();
	struct signatures *t = shipped_compile(rules);
	uint64_t random = 0x9e3779b97f4a7c15;
	char octets[64];

	for (unsigned i = 0; i < 20000; i++) {
		struct row row = {.protocol = i % 2 ? UDP_ : TCP_,
				  .dst = i % 3 ? 443 : 53,
				  .payload = octets,
				  .len = sizeof(octets)};

		for (unsigned k = 0; k < sizeof(octets); k++) {
			random = random * 6364136223846793005 + 1442695040888963407;
			octets[k] = (char)(random >> 56);
		}
		row.src = (uint16_t)(40000 + i % 20000);
		cr_expect_str_eq(hit(rules, t, &row), "none", "row %u: %s", i, hit(rules, t, &row));
	}
	signatures_free(t);
	rules_free(rules);
}
