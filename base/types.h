/* SPDX-License-Identifier: BSD-2-Clause */
/* Integers in network byte order are types of their own, so that a missing conversion is seen in review. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint16_t be16;
typedef uint32_t be32;

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define FALLTHROUGH __attribute__((fallthrough))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

#endif
