/* SPDX-License-Identifier: MIT */
/*
 * Opens tables, allocates and reads records (layout.h).
 *
 * A record is allocated without a list: a thread takes the lock of a record whose `names` is 0. So
 * no state but `names` says that a record is free, and no crash can damage a list.
 */
#include <attr/attr.h>
#include <twz/guard.h>
#include <twz/persist.h>

#define LOOKS      8u /* records looked at before the table grows */
#define PAGE       (TWZ_PAGE_SIZE / ATTR_RECORD)
#define SWEEP      8u          /* old records looked at for each new page */
#define GROW_TRIES (PAGE + 24) /* from `fresh` on; the steps double after a page of records */

static struct attr_head *head_of(const twzobj *table)
{
    return twz_object_base(table);
}

int attr_init(const twzobj *table, void *ctx)
{
    struct attr_head *head = head_of(table);
    struct twz_meta *meta = twz_object_meta(table);
    int err = twz_touch(head, sizeof(*head));

    (void)ctx;
    if (err >= 0)
        err = twz_touch(meta, sizeof(*meta));
    if (err < 0)
        return err;
    twz_persist_store64(&head->magic, ATTR_MAGIC);
    twz_persist_store64(&head->version, ATTR_VERSION);
    twz_persist_store64(&head->record, ATTR_RECORD);
    twz_persist_store64(&meta->magic, TWZ_META_MAGIC);
    twz_persist_store64(&meta->type, ATTR_MAGIC);
    twz_persist_flush(meta, sizeof(*meta));
    twz_persist_flush(head, TWZ_PERSIST_LINE); /* addext fences; not reachable yet */
    return twz_object_addext(table, ATTR_TAG, head);
}

int attr_open(objid_t id, uint32_t rights, twzobj *table)
{
    const struct attr_head *head;
    int err = twz_object_init_guid(table, id, rights);

    if (err < 0)
        return err;
    head = head_of(table);
    if (head->magic != ATTR_MAGIC)
        err = -TWZ_ETYPE;
    else if (head->version != ATTR_VERSION || head->record != ATTR_RECORD)
        err = -TWZ_EVERSION;
    if (err < 0)
        twz_object_release(table);
    return err < 0 ? err : 0;
}

struct attr_record *attr_at(const twzobj *table, uint64_t index)
{
    if (index == 0 || index >= ATTR_MAX)
        return NULL;
    return (struct attr_record *)(void *)(table->start + ATTR_RECORDS + index * ATTR_RECORD);
}

static uint64_t load_names(const struct attr_record *record)
{
    return __atomic_load_n(&record->names, __ATOMIC_ACQUIRE);
}

static objid_t load_id(const struct attr_record *record)
{
    return (objid_t){ __atomic_load_n(&record->id.lo, __ATOMIC_RELAXED),
                      __atomic_load_n(&record->id.hi, __ATOMIC_RELAXED) };
}

bool attr_is_of(const struct attr_record *record, objid_t id)
{
    return objid_equal(load_id(record), id);
}

/* A thread that takes the record for another object stores the ID before the values. So the ID is
 * compared again after the values were read. */
bool attr_get(const struct attr_record *record, objid_t id, struct attr_values *values,
              uint64_t *names)
{
    if (!attr_is_of(record, id))
        return false;
    *names = load_names(record);
    values->mode = __atomic_load_n(&record->mode, __ATOMIC_RELAXED);
    values->mtime_ns = __atomic_load_n(&record->mtime_ns, __ATOMIC_RELAXED);
    values->ctime_ns = __atomic_load_n(&record->ctime_ns, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return attr_is_of(record, id);
}

struct twz_mutex *attr_size_lock(const twzobj *table, objid_t id)
{
    uint64_t hash = (id.lo ^ id.hi) * 0x9e3779b97f4a7c15ull;

    return &head_of(table)->size_lock[hash >> 56];
}
_Static_assert(ATTR_LOCKS == 256, "the hash selects one of 256 locks");

uint64_t attr_end(const twzobj *table)
{
    uint64_t end = __atomic_load_n(&head_of(table)->end, __ATOMIC_RELAXED);

    if (end == 0)
        return 1;
    return end < ATTR_MAX ? end : ATTR_MAX;
}

/* --- allocation ------------------------------------------------------------------------------- */

static void unlock_record(struct attr_record *record)
{
    twz_guard_unlock(&record->lock);
    twz_mutex_unlock(&record->lock);
}

/* Whether the record of a dead or failed change may be used by others: no committed change of its
 * directory will still store to it. */
static bool is_settled(const struct attr_record *record, uint32_t index, attr_is_busy is_busy)
{
    return objid_is_none(record->names_by) || !is_busy(record->names_by, index);
}

/* 1: the caller holds the lock of the free record; 0: the record is in use. */
static int claim_record(const twzobj *table, uint64_t index, attr_is_busy is_busy)
{
    struct attr_record *record = attr_at(table, index);
    int err;

    if (!record || load_names(record) != 0)
        return record ? 0 : -TWZ_EFULL;
    err = twz_touch(record, sizeof(*record));
    if (err < 0)
        return err;
    if (twz_mutex_trylock(&record->lock) < 0)
        return 0;
    twz_guard_lock(&record->lock);
    /* is_settled first: a thread that finishes the change stores names before it ends the change */
    if (is_settled(record, (uint32_t)index, is_busy) && load_names(record) == 0)
        return 1;
    unlock_record(record);
    return 0;
}

static void store_hint(uint64_t *hint, uint64_t value)
{
    __atomic_store_n(hint, value, __ATOMIC_RELAXED);
}

/* Free the record if its object does not exist. No flush: if the store is lost, another look frees
 * the record. */
static void sweep_record(const twzobj *table, uint32_t index, attr_is_busy is_busy)
{
    struct attr_record *record = attr_at(table, index);
    struct twz_stat stat;
    int err;

    if (!record || load_names(record) == 0 || twz_mutex_trylock(&record->lock) < 0)
        return;
    twz_guard_lock(&record->lock);
    err = twz_object_stat(record->id, &stat);
    if ((err == -TWZ_ENOOBJ || err == -TWZ_EDELETED) && is_settled(record, index, is_busy)) {
        twz_persist_store64(&record->names, 0);
        attr_hint(table, index);
    }
    unlock_record(record);
}

static void sweep_some(const twzobj *table, attr_is_busy is_busy)
{
    struct attr_head *head = head_of(table);
    uint64_t at = __atomic_load_n(&head->sweep, __ATOMIC_RELAXED);

    for (uint32_t i = 0; i < SWEEP; i++, at++) {
        if (at == 0 || at >= attr_end(table))
            at = 1;
        sweep_record(table, (uint32_t)at, is_busy);
    }
    store_hint(&head->sweep, at);
}

/* The end of the records that may be used: `end` is durable there, also if another thread, perhaps
 * a dead one, has stored it. */
static uint64_t usable_end(const twzobj *table)
{
    const uint64_t ready = __atomic_load_n(&head_of(table)->ready, __ATOMIC_ACQUIRE);
    const uint64_t end = attr_end(table);

    return ready && ready < end ? ready : ready ? end : 1;
}

/* Make `end` durable behind the page of record `at`. Two threads may do so at once. */
static void raise_end(const twzobj *table, uint64_t at)
{
    struct attr_head *head = head_of(table);
    uint64_t end = __atomic_load_n(&head->end, __ATOMIC_RELAXED);
    const uint64_t want = (at / PAGE + 1) * PAGE;

    while (end < want && !__atomic_compare_exchange_n(&head->end, &end, want, 0, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED))
        ;
    twz_persist(&head->end, sizeof(head->end)); /* COMMIT: the records of the page may be used */
    if (__atomic_load_n(&head->ready, __ATOMIC_RELAXED) < want)
        __atomic_store_n(&head->ready, want, __ATOMIC_RELEASE);
}

/* Take a record that was not used yet: one between `fresh` and `end`, or at `end`. */
static int claim_fresh(const twzobj *table, attr_is_busy is_busy, uint32_t *index)
{
    struct attr_head *head = head_of(table);
    const uint64_t end = attr_end(table);
    uint64_t at = __atomic_load_n(&head->fresh, __ATOMIC_RELAXED), step = 1;

    if (at == 0 || at > end || end - at > PAGE)
        at = end < ATTR_MAX ? end : 1; /* a program may have stored the end or the hint */
    for (uint32_t i = 0; i < GROW_TRIES; i++, at += step) {
        int ret = claim_record(table, at, is_busy);

        if (ret < 0)
            return ret;
        step = i < PAGE ? 1 : step * 2;
        if (ret == 0)
            continue;
        store_hint(&head->fresh, at + 1);
        if (at >= usable_end(table))
            raise_end(table, at);
        if (at % PAGE == 0)
            sweep_some(table, is_busy);
        *index = (uint32_t)at;
        return 0;
    }
    return -TWZ_EFULL;
}

/* Take a record near `next`, else a fresh one. The caller holds its lock on success. */
static int claim_free(const twzobj *table, attr_is_busy is_busy, uint32_t *index)
{
    struct attr_head *head = head_of(table);
    const uint64_t end = usable_end(table);
    uint64_t at = __atomic_load_n(&head->next, __ATOMIC_RELAXED);
    int ret;

    for (uint32_t i = 0; i < LOOKS; i++, at++) {
        if (at == 0 || at >= end)
            at = 1;
        if (at >= end)
            break;
        ret = claim_record(table, at, is_busy);
        if (ret < 0)
            return ret;
        if (ret > 0) {
            store_hint(&head->next, at + 1);
            *index = (uint32_t)at;
            return 0;
        }
    }
    store_hint(&head->next, at);
    return claim_fresh(table, is_busy, index);
}

int attr_new(const twzobj *table, objid_t id, const struct attr_values *values, objid_t by,
             attr_is_busy is_busy, uint32_t *index)
{
    struct attr_record *record;
    int err = twz_touch(head_of(table), sizeof(struct attr_head));

    if (err >= 0)
        err = claim_free(table, is_busy, index);
    if (err < 0)
        return err;
    record = attr_at(table, *index);
    if (!objid_equal(record->names_by, by)) {
        twz_persist_store64(&record->names_by.lo, by.lo);
        twz_persist_store64(&record->names_by.hi, by.hi);
        twz_persist_flush(&record->names_by, sizeof(record->names_by));
    }
    twz_persist_store64(&record->id.lo, id.lo); /* the ID first, for attr_get */
    twz_persist_store64(&record->id.hi, id.hi);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    twz_persist_store64(&record->mode, values->mode);
    twz_persist_store64(&record->mtime_ns, values->mtime_ns);
    twz_persist_store64(&record->ctime_ns, values->ctime_ns);
    if (objid_is_none(by))
        twz_persist_store64(&record->names, 1);
    twz_persist_flush(record, TWZ_PERSIST_LINE); /* the caller fences before the name commits */
    if (objid_is_none(by))
        unlock_record(record);
    return 0;
}

/* No flush: if the store is lost, the record is freed by a look, since its object is deleted. */
void attr_drop(const twzobj *table, uint32_t index)
{
    struct attr_record *record = attr_at(table, index);

    twz_persist_store64(&record->names, 0);
    attr_hint(table, index);
}

void attr_hint(const twzobj *table, uint32_t index)
{
    store_hint(&head_of(table)->next, index);
}
