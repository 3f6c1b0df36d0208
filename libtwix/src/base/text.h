/* SPDX-License-Identifier: MIT */
/* One line of text in a buffer of fixed size. The text always ends with a NUL; the part that does
 * not fit is cut off. */
#ifndef TWIX_TEXT_H
#define TWIX_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
    char *buf;
    size_t size; /* of buf, including one byte for the NUL; not 0 */
    size_t len;
};

void text_init(struct text *t, char *buf, size_t size);
void text_str(struct text *t, const char *s);
void text_bytes(struct text *t, const char *s, size_t len);
void text_dec(struct text *t, int64_t value);
void text_hex(struct text *t, uint64_t value);
void text_oct(struct text *t, uint64_t value);

#endif
