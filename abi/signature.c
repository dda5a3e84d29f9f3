/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a signature is sound. Hyperscan writes counted repeats out, so a pattern of 20 characters,
 * ((.{99}a){99}b){99}, can hold the thread that compiles it for minutes: its positions are counted here first. The
 * count knows just enough of the syntax to be no lower than what Hyperscan makes of it; what would hide brackets from
 * it (quotations, comments, the extended syntax) is refused.
 */
#include "abi/signature.h"

#include <netinet/in.h>
#include <string.h>

#include "base/flowhash.h"

enum { POSITIONS_CAP = 1 << 20 }; /* counting goes no further; its square fits 64 bits */

struct weighing {
	const char *at;
	uint64_t sums[ABI_SIGNATURE_DEPTH_MAX + 1]; /* of each open group */
	unsigned depth;
	uint64_t last; /* of what a repeat would repeat */
};

static uint64_t
capped(uint64_t n)
{
	return n < POSITIONS_CAP ? n : POSITIONS_CAP;
}

static void
add(struct weighing *w, uint64_t positions)
{
	w->last = capped(positions);
	w->sums[w->depth] = capped(w->sums[w->depth] + w->last);
}

/* Behind a class, whose '[' is at. A ']' that comes first, and what a backslash escapes, doesn't end it. */
static const char *
class_end(const char *at)
{
	at++;
	at += *at == '^';
	at += *at == ']';
	while (*at && *at != ']') {
		if (at[0] == '[' && at[1] == ':' && strstr(at, ":]"))
			at = strstr(at, ":]") + 2;
		else
			at += at[0] == '\\' && at[1] ? 2 : 1;
	}
	return at + (*at == ']');
}

/* Behind an escape, whose backslash is at: one position, however it is written. */
static const char *
escape_end(const char *at)
{
	char kind = at[1];

	if (!kind)
		return at + 1;
	at += 2;
	/* \x{..}, \p{..}: not a count of repeats. */
	if (*at == '{' && strchr("xpPogkN", kind))
		at += strcspn(at, "}");
	else if (kind == 'x')
		at += strspn(at, "0123456789abcdefABCDEF") < 2 ? strspn(at, "0123456789abcdefABCDEF") : 2;
	return at + (*at == '}' && strchr("xpPogkN", kind) ? 1 : 0);
}

static uint64_t
number(const char **at)
{
	uint64_t n = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = capped(n * 10 + (uint64_t)(**at - '0'));
	return n;
}

/* Behind "{n}", "{n,}", "{,m}" or "{n,m}" at '{', and how often what is before it is there; NULL: it is not that. */
static const char *
repeat_end(const char *at, uint64_t *times)
{
	uint64_t low, high;
	const char *digits = ++at;

	low = number(&at);
	high = low;
	if (*at == ',') {
		at++;
		high = number(&at);
	}
	if (*at != '}' || at == digits)
		return NULL;
	*times = high > low ? high : low;
	return at + 1;
}

static void
weigh_repeat(struct weighing *w)
{
	uint64_t times = 0;
	const char *end = repeat_end(w->at, &times);

	if (!end) {
		add(w, 1);
		w->at++;
		return;
	}
	/* All but what was already counted; a repeat of a repeat multiplies both. */
	if (times > 1) {
		w->sums[w->depth] = capped(w->sums[w->depth] + capped(w->last) * (times - 1));
		w->last = capped(w->last * times);
	}
	w->at = end;
}

static const char *
weigh_group(struct weighing *w)
{
	if (w->at[1] == '?') {
		const char *options = w->at + 2;

		if (*options == '#')
			return "a comment in its pattern";
		if (memchr(options, 'x', strspn(options, "imsxJU^-")))
			return "the extended syntax (x) in its pattern";
	}
	if (w->depth == ABI_SIGNATURE_DEPTH_MAX)
		return "groups in its pattern that nest too deep";
	w->sums[++w->depth] = 0;
	w->last = 0;
	w->at++;
	return NULL;
}

static void
weigh_group_end(struct weighing *w)
{
	uint64_t sum = w->sums[w->depth];

	/* One that was never opened is for Hyperscan to name. */
	if (w->depth > 0) {
		w->depth--;
		add(w, sum);
	}
	w->at++;
}

static const char *
weigh_next(struct weighing *w)
{
	switch (*w->at) {
	case '\\':
		if (w->at[1] == 'Q')
			return "a quotation (\\Q) in its pattern";
		w->at = escape_end(w->at);
		add(w, 1);
		return NULL;
	case '[':
		w->at = class_end(w->at);
		add(w, 1);
		return NULL;
	case '(':
		return weigh_group(w);
	case ')':
		weigh_group_end(w);
		return NULL;
	case '{':
		weigh_repeat(w);
		return NULL;
	case '*':
	case '+':
	case '?':
		w->at++;
		return NULL;
	default:
		w->at++;
		add(w, 1);
		return NULL;
	}
}

static const char *
pattern_fault(const char *pattern)
{
	struct weighing w = {.at = pattern};
	uint64_t positions = 0;

	while (*w.at) {
		const char *fault = weigh_next(&w);

		if (fault)
			return fault;
	}
	for (unsigned i = 0; i <= w.depth; i++)
		positions += w.sums[i];
	return positions > ABI_SIGNATURE_POSITIONS_MAX ? "a pattern that is too large with its repeats written out"
						       : NULL;
}

static bool
ports_are_sound(const struct abi_signature_ports *ports, unsigned n)
{
	if (n > ABI_SIGNATURE_PORTS_MAX)
		return false;
	for (unsigned i = 0; i < n; i++) {
		if (ports[i].first > ports[i].last)
			return false;
	}
	return true;
}

static bool
text_is_sound(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	for (size_t i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return len > 0 && len < size;
}

const char *
abi_signature_fault(const struct abi_signature *s)
{
	if (!text_is_sound(s->name, sizeof(s->name)))
		return "no sound name";
	if (s->protocol != 0 && s->protocol != IPPROTO_TCP && s->protocol != IPPROTO_UDP)
		return "a protocol that is neither TCP nor UDP";
	if (s->action == ABI_SIGNATURE_NONE || s->action >= ABI_SIGNATURE_ACTIONS)
		return "an unknown action";
	if (s->flags & ~ABI_SIGNATURE_FLAGS)
		return "unknown flags";
	if (!ports_are_sound(s->src, s->n_src) || !ports_are_sound(s->dst, s->n_dst))
		return "ports that are no ranges";
	if (!text_is_sound(s->pattern, sizeof(s->pattern)))
		return "a pattern that is empty, too long or not in printable ASCII";
	return pattern_fault(s->pattern);
}

uint64_t
abi_signature_key(const struct abi_signature *signature)
{
	return flowhash_bytes(FLOWHASH_K1, signature->name, strnlen(signature->name, sizeof(signature->name)));
}
