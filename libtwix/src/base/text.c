/* SPDX-License-Identifier: MIT */
/* Text without a C library; see text.h. */
#include "text.h"

void text_init(struct text *t, char *buf, size_t size)
{
    t->buf = buf;
    t->size = size;
    t->len = 0;
    buf[0] = 0;
}

void text_bytes(struct text *t, const char *s, size_t len)
{
    for (size_t i = 0; i < len && t->len + 1 < t->size; i++)
        t->buf[t->len++] = s[i];
    t->buf[t->len] = 0;
}

void text_str(struct text *t, const char *s)
{
    size_t len = 0;

    while (s[len])
        len++;
    text_bytes(t, s, len);
}

static void append_number(struct text *t, uint64_t value, unsigned base)
{
    char digits[24];
    size_t n = sizeof(digits);

    do {
        digits[--n] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    text_bytes(t, digits + n, sizeof(digits) - n);
}

void text_dec(struct text *t, int64_t value)
{
    if (value < 0)
        text_str(t, "-");
    append_number(t, value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

void text_hex(struct text *t, uint64_t value)
{
    text_str(t, "0x");
    append_number(t, value, 16);
}

void text_oct(struct text *t, uint64_t value)
{
    text_str(t, "0");
    if (value)
        append_number(t, value, 8);
}
