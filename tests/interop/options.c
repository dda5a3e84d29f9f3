/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
role_parse(const char *text, enum bgp_role *out)
{
	static const char *const names[] = {
		[BGP_ROLE_PROVIDER] = "provider", [BGP_ROLE_RS] = "rs",	    [BGP_ROLE_RS_CLIENT] = "rs-client",
		[BGP_ROLE_CUSTOMER] = "customer", [BGP_ROLE_PEER] = "peer",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) != 0)
			continue;
		*out = (enum bgp_role)i;
		return true;
	}
	return false;
}

static bool
key_parse(const char *text, struct bgp_config *config)
{
	size_t len = strlen(text);

	if (len == 0 || len > BGP_KEY_MAX)
		return false;
	config->auth = BGP_AUTH_MD5;
	config->key_len = (uint8_t)len;
	memcpy(config->key, text, len);
	return true;
}

static bool
next_hop_parse(const char *text, struct bgp_config *config)
{
	struct addr hop;

	if (addr_parse(text, &hop) != 0)
		return false;
	*(hop.family == ADDR_V4 ? &config->next_hop_v4 : &config->next_hop_v6) = hop;
	return true;
}

static bool
number_parse(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return *end == '\0' && *out <= max;
}

/* Options with a value; which are the letters of options_parse(). */
static bool
option_set(struct bgp_config *config, int which, const char *text)
{
	unsigned long number = 0;

	switch (which) {
	case 'a':
		return addr_parse(text, &config->local) == 0;
	case 'n':
		return next_hop_parse(text, config);
	case 'i':
		snprintf(config->interface, sizeof(config->interface), "%s", text);
		return true;
	case 'k':
		return key_parse(text, config);
	case 'o':
		return role_parse(text, &config->role);
	default:
		break;
	}
	if (!number_parse(text, UINT16_MAX, &number))
		return false;
	if (which == 'h')
		config->hold_s = (uint16_t)number;
	else if (which == 's')
		config->send_hold_s = (uint16_t)number;
	else if (which == 'd')
		config->delay_open_s = (uint16_t)number;
	else if (which == 'r')
		config->reconnect_s = (uint16_t)number;
	else if (which == 'g')
		config->graceful_restart_s = (uint16_t)number;
	else
		config->max_prefixes = (uint32_t)number;
	return true;
}

bool
options_parse(int argc, char **argv, struct bgp_config *config, bool *listens)
{
	enum { LISTEN, PASSIVE, GTSM, STRICT, EXTENDED_NEXT_HOP, FLOWSPEC, FLAGS };
	bool *const flags[FLAGS] = {
		listens,	  &config->passive, &config->gtsm, &config->role_strict, &config->extended_next_hop,
		&config->flowspec};
	static const struct option options[] = {
		{"listen", no_argument, NULL, LISTEN},
		{"passive", no_argument, NULL, PASSIVE},
		{"gtsm", no_argument, NULL, GTSM},
		{"strict", no_argument, NULL, STRICT},
		{"extended-next-hop", no_argument, NULL, EXTENDED_NEXT_HOP},
		{"flowspec", no_argument, NULL, FLOWSPEC},
		{"local", required_argument, NULL, 'a'},
		{"interface", required_argument, NULL, 'i'},
		{"next-hop", required_argument, NULL, 'n'},
		{"md5", required_argument, NULL, 'k'},
		{"role", required_argument, NULL, 'o'},
		{"hold", required_argument, NULL, 'h'},
		{"send-hold", required_argument, NULL, 's'},
		{"delay-open", required_argument, NULL, 'd'},
		{"reconnect", required_argument, NULL, 'r'},
		{"graceful-restart", required_argument, NULL, 'g'},
		{"max-prefixes", required_argument, NULL, 'm'},
		{0},
	};
	bool sound = true;
	int c;

	while (sound && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c < FLAGS)
			*flags[c] = true;
		else
			sound = c != '?' && option_set(config, c, optarg);
	}
	*listens |= config->passive;
	return sound;
}
