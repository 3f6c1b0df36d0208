/* SPDX-License-Identifier: MIT */
/*
 * Records of files; see record.h. A process opens each attribute table once and keeps it open, so
 * that most calls find it by one comparison. `tables_lock` guards the adding of a table.
 */
#include <twz/persist.h>

#include "base/guard.h"
#include "record.h"

#define TABLES    16u
#define OWN_LOCKS 16u
#define LOCK_NS   1000000000ull /* a process that may write the table may keep a lock */

static struct twz_mutex tables_lock;
static twzobj tables[TABLES];
static uint32_t table_count;

/* For files of a volume whose table cannot be used. */
static struct twz_mutex own_size_lock[OWN_LOCKS];

struct record_ref record_of_walk(const struct hier_where *where)
{
    return (struct record_ref){ .table = where->attrs, .index = where->attr };
}

/* --- tables ----------------------------------------------------------------------------------- */

static const twzobj *find_table(objid_t id)
{
    uint32_t count = __atomic_load_n(&table_count, __ATOMIC_ACQUIRE);

    for (uint32_t i = 0; i < count; i++) {
        if (objid_equal(tables[i].id, id))
            return &tables[i];
    }
    return NULL;
}

static const twzobj *add_table(objid_t id)
{
    const twzobj *found;
    twzobj table;

    if (attr_open(id, TWZ_READ | TWZ_WRITE, &table) < 0)
        return NULL;
    lock_acquire(&tables_lock);
    found = find_table(id);
    if (!found && table_count < TABLES) {
        twz_guard_closed(&table); /* it stays open */
        tables[table_count] = table;
        found = &tables[table_count];
        table.start = NULL;
        __atomic_store_n(&table_count, table_count + 1, __ATOMIC_RELEASE);
    }
    lock_release(&tables_lock);
    twz_object_release(&table);
    return found;
}

/* Returns the table, or NULL if it cannot be used. */
static const twzobj *open_table(objid_t id)
{
    const twzobj *table;

    if (objid_is_none(id))
        return NULL;
    table = find_table(id);
    if (!table)
        table = add_table(id);
    if (table)
        twz_guard_watch(table->start);
    return table;
}

static struct attr_record *find_record(const struct record_ref *ref)
{
    const twzobj *table = ref->index ? open_table(ref->table) : NULL;

    return table ? attr_at(table, ref->index) : NULL;
}

/* --- records ---------------------------------------------------------------------------------- */

bool record_get(const struct record_ref *ref, objid_t id, struct attr_values *values,
                uint64_t *names)
{
    const struct attr_record *record = find_record(ref);
    struct attr_values found;

    if (!record || !attr_get(record, id, &found, names))
        return false;
    *values = found;
    return true;
}

bool record_set(const struct record_ref *ref, objid_t id, const struct attr_values *values,
                uint32_t what)
{
    struct attr_record *record = find_record(ref);
    bool set;

    if (!record || !attr_is_of(record, id) || twz_mutex_lock_for(&record->lock, LOCK_NS) < 0)
        return false;
    twz_guard_lock(&record->lock);
    set = attr_is_of(record, id);
    if (set) {
        if (what & RECORD_MODE)
            record->mode = values->mode;
        if (what & RECORD_MTIME)
            record->mtime_ns = values->mtime_ns;
        record->ctime_ns = values->ctime_ns;
        twz_persist(record, TWZ_PERSIST_LINE);
    }
    lock_release_shared(&record->lock);
    return set;
}

/* Without the lock: if the record passes to another file meanwhile, that file is as new as the
 * time. */
void record_written(const struct record_ref *ref, objid_t id, uint64_t now, bool length)
{
    struct attr_record *record = find_record(ref);

    if (!record || !attr_is_of(record, id))
        return;
    record->mtime_ns = now;
    if (!length)
        return;
    record->ctime_ns = now;
    twz_persist_flush(record, TWZ_PERSIST_LINE); /* the length's commit fences */
}

struct twz_mutex *record_size_lock(const struct record_ref *ref, objid_t id)
{
    const twzobj *table = open_table(ref->table);

    return table ? attr_size_lock(table, id) : &own_size_lock[id.lo % OWN_LOCKS];
}
