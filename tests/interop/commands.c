/* SPDX-License-Identifier: BSD-2-Clause */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bgp/community.h"
#include "bgp/flowspec.h"

void
command_announce(struct bgp_session *session, char *words)
{
	char *word = strtok(words, " ");
	struct prefix prefix;
	struct path path;

	path_init(&path);
	if (!word || prefix_parse(word, &prefix) != 0) {
		printf("no prefix\n");
		return;
	}
	while ((word = strtok(NULL, " "))) {
		if (community_parse(word, &path) != 0)
			printf("no community: %s\n", word);
	}
	if (bgp_session_announce(session, &prefix, &path) != 0)
		printf("too many prefixes\n");
}

static void
withdraw(struct bgp_session *session, char *words)
{
	struct prefix prefix;

	if (prefix_parse(words, &prefix) != 0)
		printf("no prefix\n");
	else
		bgp_session_withdraw(session, &prefix);
}

/* So many routes that the kernels between don't hold all their octets. */
static void
many(struct bgp_session *session, char *words)
{
	struct prefix prefix;
	struct path path;

	path_init(&path);
	if (prefix_parse("fd98::/128", &prefix) != 0)
		abort();
	for (unsigned long i = 0, count = strtoul(words, NULL, 10); i < count; i++) {
		prefix.addr.octets[13] = (uint8_t)(i >> 16);
		prefix.addr.octets[14] = (uint8_t)(i >> 8);
		prefix.addr.octets[15] = (uint8_t)i;
		if (bgp_session_announce(session, &prefix, &path) != 0)
			printf("too many prefixes\n");
	}
}

/* The rule's octets with their length, and its family; 0: it is none. */
static size_t
rule_encode(const char *text, uint8_t *out, size_t room, enum bgp_family *family)
{
	char fault[FLOWSPEC_FAULT_MAX];
	struct writer w = writer_init(out, room);
	struct flowspec rule;

	if (flowspec_parse(text, &rule, fault) != 0) {
		printf("no rule: %s\n", fault);
		return 0;
	}
	*family = rule.family == ADDR_V4 ? BGP_FLOW4 : BGP_FLOW6;
	flowspec_encode(&rule, &w);
	return flowspec_encoded_len(&rule);
}

/* Drops what matches. */
static void
flow(struct bgp_session *session, char *words)
{
	uint8_t octets[FLOWSPEC_OCTETS_MAX + 2];
	enum bgp_family family;
	struct path path;
	size_t len = rule_encode(words, octets, sizeof(octets), &family);

	path_init(&path);
	if (len > 0 && (path_add_extended(&path, flowspec_rate_bytes(0, 0)) != 0 ||
			bgp_session_announce_nlri(session, family, octets, len, &path) != 0))
		printf("too many rules\n");
}

static void
unflow(struct bgp_session *session, char *words)
{
	uint8_t octets[FLOWSPEC_OCTETS_MAX + 2];
	enum bgp_family family;
	size_t len = rule_encode(words, octets, sizeof(octets), &family);

	if (len > 0)
		bgp_session_withdraw_nlri(session, family, octets, len);
}

static void
refresh(struct bgp_session *session, char *words)
{
	const struct bgp_negotiated negotiated = bgp_session_status(session).negotiated;

	(void)words;
	for (int i = 0; i < BGP_FAMILIES; i++) {
		if (negotiated.family[i] && bgp_session_refresh(session, (enum bgp_family)i) != 0)
			printf("can't refresh\n");
	}
}

static void
stop(struct bgp_session *session, char *words)
{
	bgp_session_stop(session, 2, words);
}

static void
start(struct bgp_session *session, char *words)
{
	(void)words;
	bgp_session_start(session);
}

void
command_run(struct bgp_session *session, char *line)
{
	static const struct {
		const char *name;
		void (*run)(struct bgp_session *session, char *words);
	} commands[] = {
		{"announce", command_announce},
		{"withdraw", withdraw},
		{"many", many},
		{"flow", flow},
		{"unflow", unflow},
		{"refresh", refresh},
		{"stop", stop},
		{"start", start},
	};
	size_t len = strcspn(line, " ");

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strlen(commands[i].name) != len || strncmp(commands[i].name, line, len) != 0)
			continue;
		commands[i].run(session, line + len + strspn(line + len, " "));
		return;
	}
	printf("what is \"%s\"?\n", line);
}
