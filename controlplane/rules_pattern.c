/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/rules_pattern.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <hs.h>

/* What one pattern may compile to: the tables of 256 rules then stay within a few MiB. */
enum { PATTERN_OCTETS_MAX = 256 << 10 };

static int
refused(hs_compile_error_t *error, char text[RULES_PATTERN_TEXT])
{
	snprintf(text, RULES_PATTERN_TEXT, "is not taken by Hyperscan: %s", error ? error->message : "no reason given");
	hs_free_compile_error(error);
	return -EINVAL;
}

static int
width_check(const char *pattern, unsigned flags, char text[RULES_PATTERN_TEXT])
{
	hs_compile_error_t *error = NULL;
	hs_expr_info_t *info = NULL;
	unsigned least;

	if (hs_expression_info(pattern, flags, &info, &error) != HS_SUCCESS)
		return refused(error, text);
	least = info->min_width;
	free(info); /* Hyperscan's allocator is malloc: nobody sets another */
	if (least > 0)
		return 0;
	snprintf(text, RULES_PATTERN_TEXT, "matches the empty payload");
	return -EINVAL;
}

int
rules_pattern_check(const struct abi_signature *signature, char text[RULES_PATTERN_TEXT])
{
	/* As dataplane/signatures.c compiles it. */
	unsigned flags = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH |
			 (signature->flags & ABI_SIGNATURE_CASELESS ? HS_FLAG_CASELESS : 0U) |
			 (signature->flags & ABI_SIGNATURE_MULTILINE ? HS_FLAG_MULTILINE : 0U);
	hs_compile_error_t *error = NULL;
	hs_database_t *database = NULL;
	size_t size = 0;
	int err;

	err = width_check(signature->pattern, flags, text);
	if (err != 0)
		return err;
	if (hs_compile(signature->pattern, flags, HS_MODE_BLOCK, NULL, &database, &error) != HS_SUCCESS)
		return refused(error, text);
	if (hs_database_size(database, &size) != HS_SUCCESS)
		size = SIZE_MAX;
	hs_free_database(database);
	if (size <= PATTERN_OCTETS_MAX)
		return 0;
	snprintf(text, RULES_PATTERN_TEXT, "is too large: it compiles to more than %u KiB", PATTERN_OCTETS_MAX >> 10);
	return -EINVAL;
}
