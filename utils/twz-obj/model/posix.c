/* SPDX-License-Identifier: MIT */
#include "posix.h"

#include <hier/hier.h>

objid_t posix_table(const struct pool *pool)
{
    objid_t id = TWZ_OBJID_NONE;
    twzobj dir;

    if (objid_is_none(pool->names) || twz_object_init_guid(&dir, pool->names, TWZ_READ) < 0)
        return id;
    if (hier_probe(&dir) >= 0)
        id = ((const struct hier_dir *)twz_object_base(&dir))->attrs;
    twz_object_release(&dir);
    return id;
}

static bool is_record_of(const twzobj *table, uint64_t index, objid_t id)
{
    const struct attr_record *record = attr_at(table, index);

    return record && record->names != 0 && attr_is_of(record, id);
}

/* 0: none. */
static uint32_t find_record(const twzobj *table, objid_t id, uint32_t hint)
{
    uint64_t end;

    if (hint)
        return is_record_of(table, hint, id) ? hint : 0;
    end = attr_end(table);
    for (uint64_t i = 1; i < end; i++) {
        if (is_record_of(table, i, id))
            return (uint32_t)i;
    }
    return 0;
}

uint32_t posix_index(const struct pool *pool, objid_t id, uint32_t hint)
{
    twzobj table;
    uint32_t index;

    if (attr_open(posix_table(pool), TWZ_READ, &table) < 0)
        return 0;
    index = find_record(&table, id, hint);
    twz_object_release(&table);
    return index;
}

bool posix_get(const struct pool *pool, objid_t id, uint32_t hint, struct attr_values *values,
               uint64_t *names)
{
    twzobj table;
    uint32_t index;
    bool got;

    if (attr_open(posix_table(pool), TWZ_READ, &table) < 0)
        return false;
    index = find_record(&table, id, hint);
    got = index && attr_get(attr_at(&table, index), id, values, names);
    twz_object_release(&table);
    return got;
}
