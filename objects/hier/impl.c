/* SPDX-License-Identifier: MIT */
/*
 * Operations that change one directory. Each operation has these steps:
 *   1 check the arguments and lock the directory
 *   2 look up the name and check that the operation is allowed
 *   3 hier_begin_change
 *   4 allocate a chunk and a bucket, and write the new entry, if there is one
 *   5 COMMIT the bucket or the intent
 *   6 free the chunk of the old entry, if there is one, and call hier_end_change
 * If an operation fails in one of the steps 1 to 4, it has changed no name.
 */
#include "inside.h"

#define DEFAULT_PERMS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

/* --- removing a name -------------------------------------------------------------------------- */

/* Remove the name of a bucket, with an intent if its object changes too. */
static int remove_entry_locked(struct hier *h, const struct hier_bucket *hit, uint32_t flags)
{
    struct hier_intent intent = {
        .from_bucket = hit->off,
        .from_value = hit->value,
        .from = h->id,
    };
    struct hier_victim v;
    int err = hier_bucket_check(h, hit->off);

    if (err >= 0)
        err = hier_victim_prepare(h, &hit->found, flags, &v);
    if (err < 0)
        return err;
    hier_begin_change(h);
    if (objid_is_none(v.id)) {
        twz_persist_commit64(hier_word(h, hit->off), HIER_TOMB); /* COMMIT: the name is gone */
    } else {
        hier_victim_mark(h, &v, &intent);
        hier_commit_intent(h, h, &intent);
    }
    hier_chunk_free(h, HIER_BUCKET_OFF(hit->value));
    hier_count_add(h, -1, 0);
    hier_end_change(h);
    hier_victim_release(&v);
    return 0;
}

/* --- adding a name ---------------------------------------------------------------------------- */

static void commit_bucket(struct hier *h, uint64_t bucket, uint64_t value)
{
    int used = *hier_word(h, bucket) == 0;

    twz_persist_fence(); /* the entry, before its bucket makes it a name */
    twz_persist_commit64(hier_word(h, bucket), value); /* COMMIT: the name exists */
    hier_count_add(h, 1, used);
}

int hier_do_symlink(const twzobj *obj, struct hier_name name, const char *text, size_t text_len)
{
    struct hier_new_entry entry = {
        .name = name, .kind = HIER_SYMLINK, .text = text, .text_len = text_len
    };
    struct hier_bucket hit;
    uint64_t chunk, bucket;
    struct hier h;
    int err = hier_open_name(obj, name, &h);

    if (err >= 0 && (text_len == 0 || text_len >= TWZ_PATH_MAX))
        err = text_len ? -TWZ_ENAMELEN : -TWZ_EINVAL;
    if (err < 0)
        return err;
    entry.hash = hier_hash(name);
    err = hier_lock_one(&h);
    if (err < 0)
        return err;
    err = hier_find(&h, name, &hit);
    if (err == -TWZ_ENONAME) {
        hier_begin_change(&h);
        err = hier_reserve_entry(&h, &entry, &chunk, &bucket);
        if (err >= 0) {
            hier_entry_write(&h, chunk, &entry);
            commit_bucket(&h, bucket, HIER_BUCKET(entry.hash, chunk));
        }
        hier_end_change(&h);
    } else if (err == 0) {
        err = -TWZ_EEXIST;
    }
    hier_unlock_one(&h);
    return err;
}

/* --- creating and naming in one step ---------------------------------------------------------- */

/* Take the record of a new object; without a table it has none. */
static int create_record(const struct hier *h, objid_t id, const struct attr_values *values,
                         uint32_t *attr)
{
    twzobj table;
    int err = hier_attrs_open(h, &table);

    *attr = 0;
    if (err < 0)
        return err == -TWZ_ENOTSUP ? 0 : err;
    err = attr_new(&table, id, values, TWZ_OBJID_NONE, hier_has_committed, attr);
    twz_object_release(&table);
    return err;
}

static void drop_record(const struct hier *h, uint32_t attr)
{
    twzobj table;

    if (attr == 0 || hier_attrs_open(h, &table) < 0)
        return;
    attr_drop(&table, attr);
    twz_object_release(&table);
}

/* A call of `fill`. Its faults are not the directory's, but the directory is locked meanwhile. So
 * the call runs outside of the guard and under a catch; hier_do_create raises the fault when it has
 * released the lock. */
struct fill {
    const struct hier_create *create;
    const twzobj *obj;
    int err;
    bool faulted;
    struct twz_fault fault;
};

static void run_fill(void *arg)
{
    struct fill *f = arg;

    f->err = f->create->fill(f->obj, f->create->ctx);
}

static int call_fill(struct fill *f, const twzobj *obj)
{
    struct twz_guard *guard = twz_guard_leave();

    f->obj = obj;
    f->faulted = twz_try(run_fill, f, &f->fault) != 0;
    twz_guard_enter(guard);
    return f->faulted ? -TWZ_EFAULT : f->err;
}

/* Create the object with the bucket as its witness and take its record, and call `fill`. On an
 * error both are gone. */
static int create_provisional(const struct hier *h, struct fill *fill, uint64_t bucket,
                              uint64_t value, twzobj *obj, uint32_t *attr)
{
    const struct hier_create *create = fill->create;
    struct twz_create spec = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = create->perms ? create->perms : DEFAULT_PERMS,
        .witness = h->id,
        .witness_off = bucket,
        .witness_value = value,
    };
    int err = twz_object_create(obj, &spec);

    if (err < 0)
        return err;
    err = create_record(h, obj->id, &create->values, attr);
    if (err >= 0 && create->kind == HIER_DIR)
        err = hier_init_at(obj, h->id, h->dir->attrs, *attr);
    if (err >= 0 && create->fill)
        err = call_fill(fill, obj);
    if (err < 0) {
        drop_record(h, *attr);
        twz_object_delete(obj, TWZ_DELETE_NOW);
        twz_object_release(obj);
    }
    return err;
}

/* -TWZ_EFULL, or an error of create_provisional: then nothing has changed. */
static int create_entry_locked(struct hier *h, struct hier_new_entry *entry, struct fill *fill,
                               twzobj *obj)
{
    uint64_t chunk, bucket, value;
    int err = hier_reserve_entry(h, entry, &chunk, &bucket);

    if (err < 0)
        return err;
    value = HIER_BUCKET(entry->hash, chunk);
    err = create_provisional(h, fill, bucket, value, obj, &entry->attr);
    if (err < 0) {
        hier_chunk_free(h, chunk);
        return err;
    }
    entry->id = obj->id;
    hier_entry_write(h, chunk, entry);
    /* for the next owner if this thread dies; pairs with make_permanent */
    twz_persist_store64(&h->dir->intent.to_bucket, bucket);
    commit_bucket(h, bucket, value);
    return 0;
}

/* The object cannot be made permanent, and a later change of the bucket would lose it: the name
 * goes again, before another thread sees it. */
static void drop_created_locked(struct hier *h, struct hier_name name)
{
    struct hier_bucket hit;

    if (hier_find(h, name, &hit) == 0)
        (void)!remove_entry_locked(h, &hit, HIER_DELETE);
}

int hier_do_create(const twzobj *dir, struct hier_name name, const struct hier_create *create,
                   twzobj *out)
{
    struct hier_new_entry entry = { .name = name, .kind = create->kind };
    struct fill fill = { .create = create };
    struct hier_bucket hit;
    struct hier h;
    twzobj obj = { 0 };
    bool is_named = false;
    int err = hier_open_name(dir, name, &h);

    if (err < 0)
        return err;
    if (create->kind != HIER_OBJECT && create->kind != HIER_DIR)
        return -TWZ_EINVAL;
    entry.hash = hier_hash(name);
    err = hier_lock_one(&h);
    if (err < 0)
        return err;
    err = hier_find(&h, name, &hit);
    if (err == -TWZ_ENONAME) {
        hier_begin_change(&h);
        err = create_entry_locked(&h, &entry, &fill, &obj);
        is_named = err >= 0;
        if (is_named)
            err = twz_object_ctl(obj.id, TWZ_CTL_PERMANENT, 0); /* before op becomes idle */
        hier_end_change(&h);
        if (is_named && err < 0)
            drop_created_locked(&h, name);
    } else if (err == 0) {
        err = -TWZ_EEXIST;
    }
    hier_unlock_one(&h);
    if (fill.faulted)
        twz_fault_raise(&fill.fault);
    if (err >= 0 && create->attr)
        *create->attr = entry.attr;
    if (err >= 0 && out)
        *out = obj;
    else
        twz_object_release(&obj);
    return err;
}

/* --- hier_remove ------------------------------------------------------------------------------ */

/* Open the directory that `found` names and lock it together with h. */
static int lock_with_child(struct hier *h, const struct hier_found *found, twzobj *obj,
                           struct hier *child)
{
    int err = twz_object_init_guid(obj, found->id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = hier_attach(obj, child);
    if (err >= 0)
        err = hier_lock((struct hier *[]){ h, child }, 2);
    if (err < 0) {
        twz_object_release(obj);
        return err;
    }
    return 0;
}

/* Remove a directory; the caller has looked it up, and holds no lock. */
static int remove_dir(struct hier *h, struct hier_name name, const struct hier_found *found)
{
    struct hier_bucket hit;
    struct hier child;
    twzobj obj;
    int err = lock_with_child(h, found, &obj, &child);

    if (err < 0)
        return err;
    err = hier_find(h, name, &hit);
    if (err >= 0 && !objid_equal(hit.found.id, found->id))
        err = -TWZ_EAGAIN;
    if (err >= 0 && child.dir->count != 0)
        err = -TWZ_ENOTEMPTY;
    if (err >= 0)
        err = remove_entry_locked(h, &hit, 0);
    hier_unlock((struct hier *[]){ h, &child }, 2);
    twz_object_release(&obj);
    return err;
}

/* -TWZ_EAGAIN: call hier_retry. */
static int remove_once(struct hier *h, struct hier_name name, uint32_t flags)
{
    struct hier_bucket hit;
    int err = hier_lock_one(h);

    if (err < 0)
        return err;
    err = hier_find(h, name, &hit);
    if (err >= 0 && (flags & HIER_WANT_DIR) && hit.found.kind != HIER_DIR)
        err = -TWZ_ENOTDIR;
    if (err >= 0 && (flags & HIER_NOT_DIR) && hit.found.kind == HIER_DIR)
        err = -TWZ_EISDIR;
    if (err >= 0 && hit.found.kind != HIER_DIR)
        err = remove_entry_locked(h, &hit, flags);
    else if (err >= 0)
        err = 1;
    hier_unlock_one(h);
    return err == 1 ? remove_dir(h, name, &hit.found) : err;
}

int hier_do_remove(const twzobj *obj, struct hier_name name, uint32_t flags)
{
    struct hier h;
    int err = hier_open_name(obj, name, &h);

    if (err < 0)
        return err;
    do {
        err = remove_once(&h, name, flags);
    } while (hier_retry(&h, err));
    return err;
}

/* --- inserting and replacing ------------------------------------------------------------------ */

/* `exists`: the name does. The new entry, the record of the new object and the victim are one
 * change. */
static int commit_replace(struct hier *h, const struct hier_new_entry *entry, bool exists,
                          const struct hier_victim *named, const struct hier_victim *v)
{
    struct hier_intent intent = { .named = named->id, .named_attr = named->attr };
    struct hier_bucket old;
    uint64_t chunk;
    int used;
    int err = hier_reserve_entry(h, entry, &chunk, &intent.to_bucket);

    if (err >= 0 && exists)
        err = hier_find(h, entry->name, &old); /* hier_reserve_entry may have replaced the table */
    if (err >= 0 && exists)
        err = hier_bucket_check(h, old.off);
    if (err < 0)
        return err;
    used = !exists && *hier_word(h, intent.to_bucket) == 0;
    hier_entry_write(h, chunk, entry);
    intent.to_bucket = exists ? old.off : intent.to_bucket;
    intent.to_value = HIER_BUCKET(entry->hash, chunk);
    hier_victim_mark(h, v, &intent);
    hier_commit_intent(h, h, &intent);
    if (exists)
        hier_chunk_free(h, HIER_BUCKET_OFF(old.value));
    hier_count_add(h, !exists, used);
    return 0;
}

/* The arguments of hier_insert and hier_replace. */
struct naming {
    struct hier_new_entry entry;
    const struct attr_values *values;
    uint32_t flags;
    bool insert; /* the name must not exist */
};

/* Point the name at entry->id. */
static int replace_entry_locked(struct hier *h, struct naming *n)
{
    struct hier_victim v = { .names = HIER_NAMES_KEEP }, named;
    struct hier_bucket old;
    int err = hier_find(h, n->entry.name, &old);
    bool exists = err == 0;

    if (err < 0 && err != -TWZ_ENONAME)
        return err;
    if (exists && (n->insert || old.found.kind == HIER_DIR))
        return n->insert ? -TWZ_EEXIST : -TWZ_EISDIR;
    if (exists && objid_equal(old.found.id, n->entry.id))
        return 0;
    err = exists ? hier_victim_prepare(h, &old.found, n->flags, &v) : 0;
    if (err < 0)
        return err;
    err = hier_named_prepare(h, n->entry.id, n->values, &named);
    if (err >= 0) {
        n->entry.attr = named.attr;
        hier_begin_change(h);
        err = commit_replace(h, &n->entry, exists, &named, &v);
        hier_end_change(h);
        hier_victim_release(&named);
    }
    hier_victim_release(&v);
    return err;
}

static int set_name(const twzobj *obj, struct naming *n)
{
    struct hier h;
    int err = hier_open_name(obj, n->entry.name, &h);

    if (err < 0 || objid_is_none(n->entry.id))
        return err < 0 ? err : -TWZ_EINVAL;
    n->entry.hash = hier_hash(n->entry.name);
    do {
        err = hier_lock_one(&h);
        if (err < 0)
            return err;
        err = replace_entry_locked(&h, n);
        hier_unlock_one(&h);
    } while (hier_retry(&h, err));
    return err;
}

int hier_do_insert(const twzobj *obj, struct hier_name name, objid_t id,
                   const struct attr_values *values)
{
    struct naming n = { .entry = { .name = name, .kind = HIER_OBJECT, .id = id },
                        .values = values,
                        .insert = true };

    return set_name(obj, &n);
}

int hier_do_insert_dir(const twzobj *obj, struct hier_name name, objid_t id)
{
    const struct attr_values plain = { 0 };
    struct naming n = { .entry = { .name = name, .kind = HIER_DIR, .id = id },
                        .values = &plain,
                        .insert = true };

    return set_name(obj, &n);
}

int hier_do_replace(const twzobj *obj, struct hier_name name, objid_t id,
                    const struct attr_values *values, uint32_t flags)
{
    struct naming n = { .entry = { .name = name, .kind = HIER_OBJECT, .id = id },
                        .values = values,
                        .flags = flags };

    return set_name(obj, &n);
}
