/* SPDX-License-Identifier: MIT */
/*
 * The link count of an object that gains or loses a name.
 *
 * INVARIANTS
 *   - hier_link adds 1 to meta.links. The removal or replacement of a name with HIER_DELETE
 *     subtracts 1, or deletes the object if meta.links is 0.
 *   - A thread must hold meta.links_lock from the load of meta.links until it has applied the
 *     intent. This lock is the last in the order of locks.
 *   - An intent holds the new value of meta.links, not the difference, so that a thread may apply
 *     the intent again.
 *   - meta.links_by names the directory with the intent. It must be durable before the intent
 *     commits, and must stay set until the intent is applied. So no other change of links can
 *     happen between two applications of the intent.
 *   - A thread that finds links_by set must lock the named directory, which finishes the change.
 *     Then it must clear links_by. If links_by holds half of an ID, there is no directory to lock.
 */
#include "inside.h"

static struct twz_mutex *links_mutex(const twzobj *obj)
{
    return (struct twz_mutex *)(void *)&twz_object_meta(obj)->links_lock;
}

static void set_links_by(const twzobj *obj, objid_t dir)
{
    struct twz_meta *meta = twz_object_meta(obj);

    twz_persist_store64(&meta->links_by.lo, dir.lo);
    twz_persist_store64(&meta->links_by.hi, dir.hi);
    twz_persist_flush(&meta->links_by, sizeof(meta->links_by)); /* write_intent fences */
}

/* Open an object and take its links_lock. */
static int open_links_locked(objid_t id, twzobj *obj)
{
    int err = twz_object_init_guid(obj, id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = twz_touch(twz_object_meta(obj), sizeof(struct twz_meta));
    if (err >= 0)
        err = twz_mutex_lock_for(links_mutex(obj), HIER_LOCK_TIMEOUT);
    if (err < 0)
        twz_object_release(obj);
    return err < 0 ? err : 0; /* a dead owner's change is found by links_by */
}

static void close_links(twzobj *obj)
{
    if (!obj->start)
        return;
    twz_mutex_unlock(links_mutex(obj));
    twz_object_release(obj);
}

/* Lock the links of object `id` for a change of h. -TWZ_EAGAIN if another directory's change of
 * them must be finished first. */
static int lock_links(struct hier *h, objid_t id, twzobj *obj)
{
    objid_t by;
    int err = open_links_locked(id, obj);

    if (err < 0)
        return err;
    by = twz_object_meta(obj)->links_by;
    if (objid_is_none(by) || objid_equal(by, h->id))
        return 0; /* h is locked, so its own change is finished */
    close_links(obj);
    h->pending_obj = id;
    h->pending_dir = by;
    return -TWZ_EAGAIN;
}

/* Finish the pending change, then clear links_by. If the directory stays locked, its owner may be
 * alive: links_by must stay. */
static void finish_pending_links(struct hier *h)
{
    struct hier other;
    struct hier *set[] = { &other };
    int err = -TWZ_ENOOBJ;
    twzobj dir, obj;

    if (twz_object_init_guid(&dir, h->pending_dir, TWZ_READ | TWZ_WRITE) < 0)
        dir = (twzobj){ 0 };
    if (dir.start && hier_attach(&dir, &other) == 0)
        err = hier_lock(set, 1);
    if (err == -TWZ_EBUSY) {
        h->retries = HIER_RETRIES;
    } else if (open_links_locked(h->pending_obj, &obj) == 0) {
        if (objid_equal(twz_object_meta(&obj)->links_by, h->pending_dir))
            set_links_by(&obj, TWZ_OBJID_NONE);
        close_links(&obj);
    }
    if (err == 0)
        hier_unlock(set, 1);
    twz_object_release(&dir);
}

bool hier_retry(struct hier *h, int err)
{
    if (err != -TWZ_EAGAIN || h->retries++ >= HIER_RETRIES)
        return false;
    if (!objid_is_none(h->pending_dir))
        finish_pending_links(h);
    h->pending_dir = TWZ_OBJID_NONE;
    return true;
}

int hier_victim_prepare(struct hier *h, const struct hier_found *found, uint32_t flags,
                        struct hier_victim *v)
{
    int err;

    *v = (struct hier_victim){ .links = HIER_LINKS_KEEP };
    if (found->kind == HIER_DIR) {
        if (hier_child_check(found->id, h->id) <= 0)
            return 0; /* it has another parent: only the name goes */
        v->id = found->id;
        v->links = HIER_LINKS_DELETE;
        return 0;
    }
    if (found->kind != HIER_OBJECT || !(flags & HIER_DELETE))
        return 0;
    err = lock_links(h, found->id, &v->obj);
    if (err == -TWZ_ENOOBJ || err == -TWZ_EDELETED)
        return 0;
    if (err < 0)
        return err;
    v->id = found->id;
    v->links = twz_object_meta(&v->obj)->links;
    v->links = v->links ? v->links - 1 : HIER_LINKS_DELETE;
    return 0;
}

void hier_victim_mark(const struct hier *h, const struct hier_victim *v)
{
    if (v->obj.start)
        set_links_by(&v->obj, h->id);
}

void hier_victim_release(struct hier_victim *v)
{
    if (!v->obj.start)
        return;
    if (v->links != HIER_LINKS_DELETE && !objid_is_none(twz_object_meta(&v->obj)->links_by))
        set_links_by(&v->obj, TWZ_OBJID_NONE);
    close_links(&v->obj);
}

/* --- hier_link -------------------------------------------------------------------------------- */

/* Add the entry and raise the object's link count, in one change of h. -TWZ_EEXIST. */
static int add_link_locked(struct hier *h, const struct hier_new_entry *entry)
{
    struct hier_intent intent = { .victim = entry->id };
    struct hier_victim v = { .id = entry->id };
    struct hier_bucket hit;
    uint64_t chunk;
    int used;
    int err = hier_find(h, entry->name, &hit);

    if (err != -TWZ_ENONAME)
        return err == 0 ? -TWZ_EEXIST : err;
    err = lock_links(h, entry->id, &v.obj);
    if (err < 0)
        return err;
    v.links = twz_object_meta(&v.obj)->links + 1;
    hier_begin_change(h);
    err = hier_reserve_entry(h, entry, &chunk, &intent.to_bucket);
    if (err >= 0) {
        used = *hier_word(h, intent.to_bucket) == 0;
        hier_entry_write(h, chunk, entry);
        intent.to_value = HIER_BUCKET(entry->hash, chunk);
        intent.victim_links = v.links;
        hier_victim_mark(h, &v);
        hier_commit_intent(h, h, &intent);
        hier_count_add(h, 1, used);
    }
    hier_end_change(h);
    hier_victim_release(&v);
    return err;
}

int hier_link(const twzobj *dir, struct hier_name name, objid_t id)
{
    struct hier_new_entry entry = { .name = name, .kind = HIER_OBJECT, .id = id };
    struct hier h;
    int err = hier_open_name(dir, name, &h);

    if (err < 0)
        return err;
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
