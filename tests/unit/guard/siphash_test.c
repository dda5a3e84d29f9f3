/* SPDX-License-Identifier: BSD-2-Clause */
#include <criterion/criterion.h>

#include "base/siphash.h"

/* The paper's reference code: key 00 .. 0f, input 00, 01, ... */
Test(siphash, gives_the_vectors_of_the_paper)
{
	static const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

	cr_expect_eq(siphash(key, key, 0, 2, 4), UINT64_C(0x726fdb47dd0e0e31));
	cr_expect_eq(siphash(key, key, 1, 2, 4), UINT64_C(0x93f5f5799a932462));
	cr_expect_eq(siphash(key, key, 2, 2, 4), UINT64_C(0x3f2acc7f57c29bdb));
}
