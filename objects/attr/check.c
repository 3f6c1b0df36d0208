/* SPDX-License-Identifier: MIT */
/*
 * The invariants of a table:
 *   - The header has the constants of layout.h.
 *   - A record in use has an ID, and no more names than there are chunks in a directory.
 * Whether names and records belong together shows only in the directories (twz-obj check).
 */
#include <attr/attr.h>

#define NAMES_MAX (1ull << 32)

int attr_check(const twzobj *table, void (*found)(void *ctx, uint64_t off, const char *what),
               void *ctx)
{
    const struct attr_head *head = twz_object_base(table);
    uint64_t end;
    int problems = 0;

    if (head->magic != ATTR_MAGIC)
        return -TWZ_ETYPE;
    if (head->version != ATTR_VERSION || head->record != ATTR_RECORD)
        return -TWZ_EVERSION;
    end = attr_end(table);
    for (uint64_t i = 1; i < end; i++) {
        const struct attr_record *record = attr_at(table, i);

        if (record->names == 0 || (!objid_is_none(record->id) && record->names < NAMES_MAX))
            continue;
        problems++;
        if (found)
            found(ctx, ATTR_RECORDS + i * ATTR_RECORD, "bad attribute record");
    }
    return problems;
}
