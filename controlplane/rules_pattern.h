/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether Hyperscan takes a signature's pattern. No state; any thread. */
#ifndef CONTROLPLANE_RULES_PATTERN_H
#define CONTROLPLANE_RULES_PATTERN_H

#include "abi/signature.h"

enum { RULES_PATTERN_TEXT = 128 };

/* The signature is sound (abi_signature_fault). -EINVAL with what is wrong, as the end of a sentence that begins with
 * "pattern"; -ENOMEM. */
MUST_CHECK int rules_pattern_check(const struct abi_signature *signature, char text[RULES_PATTERN_TEXT]);

#endif
