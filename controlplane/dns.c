/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/dns.h"

#include <errno.h>

enum { FLAG_QR = 0x8000, FLAG_RD = 0x0100, OPCODE_MASK = 0x7800, RCODE_MASK = 0x000f, CLASS_IN = 1, LABEL_MAX = 63 };

static int
name_encode(struct writer *w, const char *name)
{
	const uint8_t *start = w->at;

	if (name[0] == '\0')
		return -EINVAL;
	if (strcmp(name, ".") == 0)
		name++;
	while (*name != '\0') {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > LABEL_MAX)
			return -EINVAL;
		write_u8(w, (uint8_t)len);
		write_bytes(w, name, len);
		name += len;
		name += *name == '.';
	}
	write_u8(w, 0);
	return written_since(w, start) > DNS_NAME_MAX ? -EINVAL : 0;
}

int
dns_query_encode(struct writer *w, uint16_t id, const char *name, uint16_t type)
{
	int err;

	write_u16(w, id);
	write_u16(w, FLAG_RD);
	write_u16(w, 1); /* QDCOUNT */
	write_u16(w, 0);
	write_u16(w, 0);
	write_u16(w, 0);
	err = name_encode(w, name);
	write_u16(w, type);
	write_u16(w, CLASS_IN);
	if (err)
		return err;
	return w->failed ? -ENOBUFS : 0;
}

static uint8_t
lower(uint8_t octet)
{
	return octet >= 'A' && octet <= 'Z' ? (uint8_t)(octet + ('a' - 'A')) : octet;
}

/* A label's length octet is at most 63, below the letters, so folding the case of all octets confuses nothing but
 * type and class, which are compared as they are. */
static bool
question_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
	size_t name_len = len - 4;

	for (size_t i = 0; i < name_len; i++) {
		if (lower(a[i]) != lower(b[i]))
			return false;
	}
	return memcmp(a + name_len, b + name_len, 4) == 0;
}

int
dns_reply_rcode(const void *reply, size_t len, const void *query, size_t query_len)
{
	struct reader r = reader_init(reply, len);
	struct reader q = reader_init(query, query_len);
	uint16_t id = read_u16(&r), flags = read_u16(&r), n_questions = read_u16(&r);
	uint16_t asked_id = read_u16(&q);
	const uint8_t *question, *asked;
	size_t asked_len;

	read_bytes(&r, DNS_HEADER_LEN - 6);
	read_bytes(&q, DNS_HEADER_LEN - 2);
	asked_len = reader_left(&q);
	asked = read_bytes(&q, asked_len);
	question = read_bytes(&r, asked_len);
	if (!asked || !question || asked_len < 5)
		return -EBADMSG;
	if (id != asked_id || !(flags & FLAG_QR) || (flags & OPCODE_MASK) || n_questions != 1)
		return -EBADMSG;
	if (!question_equal(question, asked, asked_len))
		return -EBADMSG;
	return flags & RCODE_MASK;
}

const char *
dns_rcode_name(int rcode)
{
	static const char *const names[] = {"NOERROR",	"FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
					    "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE"};

	return rcode >= 0 && (size_t)rcode < ARRAY_LEN(names) ? names[rcode] : "RCODE";
}
