/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/scalar.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
scalar_text(struct reading *r, const struct yaml_tree *value, const char *key, const char *what)
{
	static const char *const kinds[] = {"nothing", "a list", "a mapping"};

	if (value->kind == YAML_KIND_SCALAR && value->text[0] != '\0')
		return value->text;
	reading_fail(r, value, "%s must be %s, not %s", key, what, kinds[value->kind]);
	return NULL;
}

bool
scalar_number(const char *text, uint64_t *out)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	size_t len = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");

	/* 16 hex or 19 decimal digits can't overflow 64 bits. */
	if (len == 0 || digits[len] != '\0' || len > (hex ? 16 : 19))
		return false;
	*out = strtoull(digits, NULL, hex ? 16 : 10);
	return true;
}

static void
store(void *target, size_t size, uint64_t value)
{
	switch (size) {
	case 1:
		*(uint8_t *)target = (uint8_t)value;
		break;
	case 2:
		*(uint16_t *)target = (uint16_t)value;
		break;
	case 4:
		*(uint32_t *)target = (uint32_t)value;
		break;
	default:
		*(uint64_t *)target = value;
		break;
	}
}

/* unit is what messages show behind the numbers: "", "%", "ms", "s". */
static void
store_in_range(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, uint64_t number,
	       const char *unit, void *target)
{
	if (number < key->min)
		reading_fail(r, value, "%s %.64s is below %llu%s", key->name, value->text,
			     (unsigned long long)key->min, unit);
	else if (number > key->max)
		reading_fail(r, value, "%s %.64s is above %llu%s", key->name, value->text,
			     (unsigned long long)key->max, unit);
	else
		store(target, key->size, number);
}

void
scalar_name(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const char *text = scalar_text(r, value, key->name, "a name");

	if (!text)
		return;
	if (strlen(text) >= key->size)
		reading_fail(r, value, "%s %.64s is longer than %zu characters", key->name, text, key->size - 1);
	else if (text[strspn(text, allowed)] != '\0')
		reading_fail(r, value, "%s %.64s may hold letters, digits, '.', '_' and '-' only", key->name, text);
	else
		memcpy(target, text, strlen(text) + 1);
}

void
scalar_string(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a text");

	if (!text)
		return;
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~') {
			reading_fail(r, value, "%s %.64s holds a character that is not printable ASCII", key->name,
				     text);
			return;
		}
	}
	if (strlen(text) >= key->size)
		reading_fail(r, value, "%s %.64s is longer than %zu octets", key->name, text, key->size - 1);
	else
		memcpy(target, text, strlen(text) + 1);
}

void
scalar_bool(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "true or false");

	if (!text)
		return;
	if (strcmp(text, "true") == 0)
		*(bool *)target = true;
	else if (strcmp(text, "false") == 0)
		*(bool *)target = false;
	else
		reading_fail(r, value, "%s %.64s is neither true nor false", key->name, text);
}

void
scalar_integer(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a whole number");
	uint64_t number;

	if (!text)
		return;
	if (scalar_number(text, &number))
		store_in_range(r, value, key, number, "", target);
	else
		reading_fail(r, value, "%s %.64s is no whole number", key->name, text);
}

/* A number with the letter of its thousands. */
static bool
rate_parse(const char *text, uint64_t *out)
{
	static const struct schema_word units[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
	size_t len = strspn(text, "0123456789");
	const struct schema_word *unit = units;

	while (unit->word && strcmp(unit->word, text + len) != 0)
		unit++;
	/* Nine digits of G are below 2^64. */
	if (len == 0 || len > 9 || !unit->word)
		return false;
	*out = strtoull(text, NULL, 10) * unit->value;
	return true;
}

void
scalar_rate(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a number a second");
	uint64_t number;

	if (!text)
		return;
	if (rate_parse(text, &number))
		store_in_range(r, value, key, number, "", target);
	else
		reading_fail(r, value, "%s %.64s is no number a second such as 500, 20k or 2M", key->name, text);
}

void
scalar_size(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a size");
	uint64_t number;

	if (!text)
		return;
	if (rate_parse(text, &number))
		store_in_range(r, value, key, number, "", target);
	else
		reading_fail(r, value, "%s %.64s is no number of octets such as 500k, 64M or 2G", key->name, text);
}

void
scalar_kbits(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a number of bits a second");
	uint64_t number;

	if (!text)
		return;
	if (!rate_parse(text, &number))
		reading_fail(r, value, "%s %.64s is no number of bits a second such as 500k, 20M or 2G", key->name, text);
	else if (number % 1000 != 0)
		reading_fail(r, value, "%s %.64s is not a whole number of kbit a second", key->name, text);
	else
		store_in_range(r, value, key, number / 1000, " kbit", target);
}

void
scalar_percent(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a percentage");
	size_t len = text ? strspn(text, "0123456789") : 0;

	if (!text)
		return;
	if (len > 0 && len < 10 && strcmp(text + len, "%") == 0)
		store_in_range(r, value, key, strtoull(text, NULL, 10), "%", target);
	else
		reading_fail(r, value, "%s %.64s is no percentage such as 10%%", key->name, text);
}

static void
duration(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, uint64_t unit_ms, void *target)
{
	static const struct schema_word units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0}};
	const char *text = scalar_text(r, value, key->name, "a duration");
	const char *unit_name = unit_ms == 1 ? "ms" : "s";
	size_t len = text ? strspn(text, "0123456789") : 0;
	const struct schema_word *unit = units;

	if (!text)
		return;
	if (len > 0 && text[len] == '\0') {
		reading_fail(r, value, "%s %.64s has no unit: write %.64ss or %.64sms", key->name, text, text, text);
		return;
	}
	while (unit->word && strcmp(unit->word, text + len) != 0)
		unit++;
	/* 12 digits of hours are below 2^64 ms. */
	if (len == 0 || len > 12 || !unit->word) {
		reading_fail(r, value, "%s %.64s is no duration such as 500ms, 2s, 5m or 1h", key->name, text);
		return;
	}
	uint64_t ms = strtoull(text, NULL, 10) * unit->value;

	if (ms % unit_ms != 0)
		reading_fail(r, value, "%s %.64s is not a whole number of seconds", key->name, text);
	else
		store_in_range(r, value, key, ms / unit_ms, unit_name, target);
}

void
scalar_ms(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	duration(r, value, key, 1, target);
}

void
scalar_seconds(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	duration(r, value, key, 1000, target);
}

static void
address(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, const char *what,
	uint8_t family, struct addr *target)
{
	const char *text = scalar_text(r, value, key->name, what);
	struct addr addr;

	if (!text)
		return;
	if (addr_parse(text, &addr) != 0 || (family != ADDR_NONE && addr.family != family))
		reading_fail(r, value, "%s %.64s is no %s", key->name, text, strchr(what, ' ') + 1);
	else
		*target = addr;
}

void
scalar_address(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	address(r, value, key, "an address", ADDR_NONE, target);
}

void
scalar_ipv4(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	address(r, value, key, "an IPv4 address", ADDR_V4, target);
}

void
scalar_ipv6(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	address(r, value, key, "an IPv6 address", ADDR_V6, target);
}

void
scalar_prefix(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a prefix");
	struct prefix prefix;

	if (!text)
		return;
	switch (prefix_parse(text, &prefix)) {
	case 0:
		*(struct prefix *)target = prefix;
		break;
	case -ERANGE:
		reading_fail(r, value, "%s %.64s is longer than its family's addresses", key->name, text);
		break;
	case -EDOM:
		reading_fail(r, value, "%s %.64s has bits set behind its length", key->name, text);
		break;
	default:
		reading_fail(r, value, "%s %.64s is no prefix", key->name, text);
		break;
	}
}

static void
list_words(const struct schema_word *words, char *text, size_t size)
{
	size_t at = 0;

	text[0] = '\0';
	for (const struct schema_word *w = words; w->word && at < size; w++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", w == words ? "" : w[1].word ? ", " : " or ",
				       w->word);
}

void
scalar_word(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	char all[96];

	list_words(key->words, all, sizeof(all));
	const char *text = scalar_text(r, value, key->name, all);

	if (!text)
		return;
	for (const struct schema_word *w = key->words; w->word; w++) {
		if (strcmp(w->word, text) == 0) {
			store(target, key->size, w->value);
			return;
		}
	}
	reading_fail(r, value, "%s %.64s is not %s", key->name, text, all);
}

/* "a" or "a-b" with low <= a <= b <= high. */
static bool
range(const char *text, uint64_t low, uint64_t high, uint16_t *out)
{
	char copy[16];
	char *dash;
	uint64_t first, last;

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	dash = strchr(copy, '-');
	if (dash)
		*dash = '\0';
	if (!scalar_number(copy, &first) || !scalar_number(dash ? dash + 1 : copy, &last))
		return false;
	if (first < low || last < first || last > high)
		return false;
	out[0] = (uint16_t)first;
	out[1] = (uint16_t)last;
	return true;
}

void
scalar_port_range(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "a port");
	uint16_t *ports = target, got[2];

	if (!text)
		return;
	if (strcmp(text, "any") == 0) {
		ports[0] = 0;
		ports[1] = UINT16_MAX;
	} else if (!range(text, 0, UINT16_MAX, got)) {
		reading_fail(r, value, "%s %.64s is not any, a port or a range such as 8000-8099", key->name, text);
	} else if (got[0] == 0) {
		reading_fail(r, value, "%s %.64s begins at 0: write a port from 1, or any", key->name, text);
	} else {
		memcpy(ports, got, sizeof(got));
	}
}

void
scalar_status(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "an HTTP status");

	if (text && !range(text, 100, 599, target))
		reading_fail(r, value, "%s %.64s is no HTTP status or range such as 200-299", key->name, text);
}

void
scalar_listen(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "an address and port");
	const char *colon = text ? strrchr(text, ':') : NULL;
	char host[64] = "";
	struct addr addr;
	uint64_t port = 0;

	if (!text)
		return;
	if (colon && strlen(text) < key->size) {
		size_t len = (size_t)(colon - text);
		bool brackets = len > 2 && text[0] == '[' && colon[-1] == ']';

		memcpy(host, text + (brackets ? 1 : 0), len - (brackets ? 2 : 0));
		if (scalar_number(colon + 1, &port) && port > 0 && port <= UINT16_MAX && addr_parse(host, &addr) == 0 &&
		    brackets == (addr.family == ADDR_V6)) {
			memcpy(target, text, strlen(text) + 1);
			return;
		}
	}
	reading_fail(r, value, "%s %.64s is no address:port such as 127.0.0.1:9464 or [::1]:9464", key->name, text);
}

/* RFC 6286 2.1: a 4-octet number, not zero, written as an IPv4 address by custom. */
void
scalar_router_id(struct reading *r, const struct yaml_tree *value, const struct schema_key *key, void *target)
{
	const char *text = scalar_text(r, value, key->name, "an IPv4 address");
	struct addr a;

	if (!text)
		return;
	if (addr_parse(text, &a) != 0 || a.family != ADDR_V4) {
		reading_fail(r, value, "%s %.64s is no IPv4 address", key->name, text);
		return;
	}
	uint32_t id = (uint32_t)a.octets[0] << 24 | (uint32_t)a.octets[1] << 16 | (uint32_t)a.octets[2] << 8 |
		a.octets[3];

	if (id == 0)
		reading_fail(r, value, "%s %.64s is zero", key->name, text);
	else
		*(uint32_t *)target = id;
}
