/* SPDX-License-Identifier: MIT */
#include <common/line.h>

void line_clear(struct line *l)
{
    l->len = 0;
    l->text[0] = 0;
}

void line_add(struct line *l, const char *text, size_t len)
{
    for (size_t i = 0; i < len && l->len < sizeof(l->text) - 1; i++) {
        uint8_t c = (uint8_t)text[i];

        l->text[l->len++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    l->text[l->len] = 0;
}

void line_add_string(struct line *l, const char *text)
{
    line_add(l, text, __builtin_strlen(text));
}

void line_add_hex(struct line *l, uint64_t value, uint32_t digits)
{
    while (digits-- > 0)
        line_add(l, &"0123456789abcdef"[(value >> (digits * 4)) & 15], 1);
}

void line_add_decimal(struct line *l, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    line_add(l, digits + at, sizeof(digits) - at);
}

void line_add_id(struct line *l, objid_t id)
{
    if (objid_is_none(id)) {
        line_add_string(l, "none");
        return;
    }
    line_add_hex(l, id.hi, 16);
    line_add_string(l, ":");
    line_add_hex(l, id.lo, 16);
}
