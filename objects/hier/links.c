/* SPDX-License-Identifier: MIT */
/*
 * The records of objects that gain or lose a name (attr/layout.h).
 *
 * INVARIANTS
 *   - hier_link adds 1 to `names` of the object's record. The removal or replacement of a name
 *     subtracts 1. 0 frees the record; with HIER_DELETE the object is deleted before.
 *   - A thread must hold the record's lock from the load of `names` until it has applied the
 *     intent. This lock is the last in the order of locks.
 *   - An intent holds the new value of `names`, not the difference, so that a thread may apply the
 *     intent again.
 *   - names_by names the directory with the intent. It must be durable before the intent commits,
 *     and must stay set until the intent is applied. So no other change of `names` can happen
 *     between two applications of the intent.
 *   - A thread that finds names_by set must lock the named directory, which finishes the change.
 *     Then it must clear names_by. If names_by holds half of an ID, there is no directory to lock.
 *   - A record that does not hold the ID of its entry is none: only the name changes then.
 */
#include "inside.h"

static void set_names_by(struct attr_record *record, objid_t dir)
{
    twz_persist_store64(&record->names_by.lo, dir.lo);
    twz_persist_store64(&record->names_by.hi, dir.hi);
    twz_persist_flush(&record->names_by, sizeof(record->names_by)); /* write_intent fences */
}

/* Whether the error means that there is no such directory any more. */
static bool is_gone(int err)
{
    return err == -TWZ_ENOOBJ || err == -TWZ_EDELETED || err == -TWZ_ETYPE || err == -TWZ_EIO;
}

static int check_committed(objid_t dir, uint32_t index)
{
    struct hier h;
    twzobj obj;
    bool committed;
    int err = twz_object_init_guid(&obj, dir, TWZ_READ);

    if (err < 0)
        return err;
    committed = hier_attach(&obj, &h) == 0 &&
                __atomic_load_n(&h.dir->op, __ATOMIC_ACQUIRE) == HIER_COMMITTED &&
                (h.dir->intent.victim_attr == index || h.dir->intent.named_attr == index);
    twz_object_release(&obj);
    return committed;
}

/* A directory that is destroyed has no change that could be finished; one that cannot be opened may
 * have one. */
bool hier_has_committed(objid_t dir, uint32_t index)
{
    int ret = TWZ_GUARDED(check_committed(dir, index));

    return ret > 0 || (ret < 0 && !is_gone(ret));
}

static void close_record(struct hier_victim *v)
{
    if (!v->table.start)
        return;
    if (v->record) {
        twz_guard_unlock(&v->record->lock);
        twz_mutex_unlock(&v->record->lock);
    }
    twz_object_release(&v->table);
    v->record = NULL;
    v->attr = 0;
}

/* Open the table and take the lock of a record. -TWZ_ENOTSUP if there is no such record. */
static int open_record_locked(const struct hier *h, uint32_t attr, struct hier_victim *v)
{
    int err = attr ? hier_attrs_open(h, &v->table) : -TWZ_ENOTSUP;

    if (err < 0)
        return err;
    v->record = attr_at(&v->table, attr);
    err = v->record ? twz_touch(v->record, sizeof(*v->record)) : -TWZ_ENOTSUP;
    if (err >= 0)
        err = twz_mutex_lock_for(&v->record->lock, HIER_LOCK_TIMEOUT);
    if (err < 0) {
        v->record = NULL;
        close_record(v);
        return err;
    }
    twz_guard_lock(&v->record->lock);
    v->attr = attr;
    return 0; /* a dead owner's change is found by names_by */
}

/* Lock the record of an entry for a change of h. Without a record, v->record is NULL.
 * -TWZ_EAGAIN if another directory's change of it must be finished first. */
static int lock_record(struct hier *h, const struct hier_found *found, struct hier_victim *v)
{
    objid_t by;
    int err = open_record_locked(h, found->attr, v);

    if (err == -TWZ_ENOTSUP || err == -TWZ_ENOOBJ || err == -TWZ_ETYPE)
        return 0;
    if (err < 0)
        return err;
    by = v->record->names_by;
    if (!attr_is_of(v->record, found->id) || v->record->names == 0) {
        close_record(v);
        return 0;
    }
    if (objid_is_none(by) || objid_equal(by, h->id))
        return 0; /* h is locked, so its own change is finished */
    close_record(v);
    h->pending_dir = by;
    h->pending_attr = found->attr;
    return -TWZ_EAGAIN;
}

/* Lock the directory, which finishes its change, and unlock it. */
static int finish_directory(objid_t id)
{
    struct hier other;
    struct hier *set[] = { &other };
    twzobj dir;
    int err = twz_object_init_guid(&dir, id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_attach(&dir, &other);
    if (err >= 0)
        err = hier_lock(set, 1);
    if (err >= 0)
        hier_unlock(set, 1);
    twz_object_release(&dir);
    return err;
}

/* Finish the pending change, then clear names_by. If the directory stays locked, its owner may be
 * alive; if it cannot be opened, others can finish the change: names_by must stay. */
static void finish_pending_names(struct hier *h)
{
    struct hier_victim v = { 0 };
    int err = TWZ_GUARDED(finish_directory(h->pending_dir));

    if (err < 0 && !is_gone(err)) {
        h->retries = HIER_RETRIES;
    } else if (open_record_locked(h, h->pending_attr, &v) == 0) {
        if (objid_equal(v.record->names_by, h->pending_dir) &&
            !hier_has_committed(h->pending_dir, h->pending_attr))
            set_names_by(v.record, TWZ_OBJID_NONE);
        close_record(&v);
    }
}

bool hier_retry(struct hier *h, int err)
{
    if (err != -TWZ_EAGAIN || h->retries++ >= HIER_RETRIES)
        return false;
    if (!objid_is_none(h->pending_dir))
        finish_pending_names(h);
    h->pending_dir = TWZ_OBJID_NONE;
    return true;
}

int hier_victim_prepare(struct hier *h, const struct hier_found *found, uint32_t flags,
                        struct hier_victim *v)
{
    const bool dir = found->kind == HIER_DIR;
    int err;

    *v = (struct hier_victim){ .names = HIER_NAMES_KEEP };
    if (found->kind == HIER_SYMLINK || objid_is_none(found->id))
        return 0;
    if (dir) {
        err = hier_child_check(found->id, h->id);
        if (err == 0 || err == -TWZ_ENOOBJ || err == -TWZ_EDELETED || err == -TWZ_ETYPE)
            return 0; /* it has another parent, or is no directory: only the name goes */
        if (err < 0)
            return err;
    }
    err = lock_record(h, found, v);
    if (err < 0)
        return err;
    if (v->record)
        v->names = dir ? 0 : v->record->names - 1;
    /* An object whose record is not there may have other names: it is not deleted. */
    if (dir)
        v->remove = HIER_DELETE_DIR;
    else if ((flags & HIER_DELETE) && (v->record ? v->names == 0 : !found->attr))
        v->remove = HIER_DELETE_OBJECT;
    if (v->record || v->remove)
        v->id = found->id;
    return 0;
}

int hier_named_prepare(struct hier *h, objid_t id, const struct attr_values *values,
                       struct hier_victim *v)
{
    int err;

    *v = (struct hier_victim){ .names = HIER_NAMES_KEEP };
    err = hier_attrs_open(h, &v->table);
    if (err < 0)
        return err == -TWZ_ENOTSUP ? 0 : err;
    err = attr_new(&v->table, id, values, h->id, hier_has_committed, &v->attr);
    if (err < 0) {
        twz_object_release(&v->table);
        return err;
    }
    v->record = attr_at(&v->table, v->attr);
    v->id = id;
    return 0;
}

void hier_victim_mark(const struct hier *h, const struct hier_victim *v, struct hier_intent *intent)
{
    intent->victim = v->id;
    intent->victim_names = v->names;
    intent->victim_attr = v->attr;
    intent->victim_delete = v->remove;
    if (v->record)
        set_names_by(v->record, h->id);
}

void hier_victim_release(struct hier_victim *v)
{
    if (v->record && !objid_is_none(v->record->names_by))
        set_names_by(v->record, TWZ_OBJID_NONE);
    if (v->record && v->names == 0)
        attr_hint(&v->table, v->attr);
    close_record(v);
}

/* --- hier_link -------------------------------------------------------------------------------- */

/* Add the entry and count it in the object's record, in one change of h. -TWZ_EEXIST. */
static int add_link_locked(struct hier *h, const struct hier_new_entry *entry)
{
    const struct hier_found found = { .id = entry->id, .kind = HIER_OBJECT, .attr = entry->attr };
    struct hier_intent intent = { 0 };
    struct hier_victim v = { .id = entry->id };
    struct hier_bucket hit;
    uint64_t chunk;
    int used;
    int err = hier_find(h, entry->name, &hit);

    if (err != -TWZ_ENONAME)
        return err == 0 ? -TWZ_EEXIST : err;
    err = lock_record(h, &found, &v);
    if (err == 0 && !v.record)
        err = entry->attr ? -TWZ_EXDEV : -TWZ_ENOTSUP;
    if (err < 0)
        return err;
    v.names = v.record->names + 1;
    hier_begin_change(h);
    err = hier_reserve_entry(h, entry, &chunk, &intent.to_bucket);
    if (err >= 0) {
        used = *hier_word(h, intent.to_bucket) == 0;
        hier_entry_write(h, chunk, entry);
        intent.to_value = HIER_BUCKET(entry->hash, chunk);
        hier_victim_mark(h, &v, &intent);
        hier_commit_intent(h, h, &intent);
        hier_count_add(h, 1, used);
    }
    hier_end_change(h);
    hier_victim_release(&v);
    return err;
}

int hier_do_link(const twzobj *dir, struct hier_name name, const struct hier_found *found)
{
    struct hier_new_entry entry = {
        .name = name, .kind = HIER_OBJECT, .id = found->id, .attr = found->attr
    };
    struct hier h;
    int err = hier_open_name(dir, name, &h);

    if (err < 0 || found->kind != HIER_OBJECT)
        return err < 0 ? err : -TWZ_EINVAL;
    entry.hash = hier_hash(name);
    do {
        err = hier_lock_one(&h);
        if (err < 0)
            return err;
        err = add_link_locked(&h, &entry);
        hier_unlock_one(&h);
    } while (hier_retry(&h, err));
    return err;
}
