/* SPDX-License-Identifier: MIT */
/* Makes the text that twz-obj prints for an attribute table. */
#include <attr/attr.h>
#include <common/line.h>

int attr_show(const twzobj *table, void (*show)(void *ctx, const char *text), void *ctx)
{
    const struct attr_head *head = twz_object_base(table);
    uint64_t used = 0, end;
    struct line l = { 0 };

    if (head->magic != ATTR_MAGIC)
        return -TWZ_ETYPE;
    end = attr_end(table);
    for (uint64_t i = 1; i < end; i++)
        used += attr_at(table, i)->names != 0;
    line_add_string(&l, "attribute table, records in use ");
    line_add_decimal(&l, used);
    line_add_string(&l, " of ");
    line_add_decimal(&l, end - 1);
    line_add_string(&l, " seen");
    show(ctx, l.text);
    return 0;
}
