/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for an attribute table. */
#include <attr/attr.h>

static size_t add_text(char *line, size_t at, const char *text)
{
    while (*text)
        line[at++] = *text++;
    line[at] = 0;
    return at;
}

static size_t add_decimal(char *line, size_t at, uint64_t value)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    while (n > 0)
        line[at++] = digits[--n];
    line[at] = 0;
    return at;
}

int attr_show(const twzobj *table, void (*show)(void *ctx, const char *text), void *ctx)
{
    const struct attr_head *head = twz_object_base(table);
    uint64_t used = 0, end;
    char line[128];
    size_t at;

    if (head->magic != ATTR_MAGIC)
        return -TWZ_ETYPE;
    end = attr_end(table);
    for (uint64_t i = 1; i < end; i++)
        used += attr_at(table, i)->names != 0;
    at = add_text(line, 0, "attribute table, records in use ");
    at = add_decimal(line, at, used);
    at = add_text(line, at, " of ");
    at = add_decimal(line, at, end - 1);
    (void)add_text(line, at, " seen");
    show(ctx, line);
    return 0;
}
