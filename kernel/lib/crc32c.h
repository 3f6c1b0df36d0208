/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), table driven, no processor feature needed; pure. */
#ifndef LIB_CRC32C_H
#define LIB_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continue `crc` (0 to begin) over len bytes. crc32c(crc32c(0, a), b) is the CRC of a then b. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
