/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C (Castagnoli; RFC 3720 B.4) over whole buffers or in parts: start with 0, pass the result back in. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/types.h"

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len);

#endif
