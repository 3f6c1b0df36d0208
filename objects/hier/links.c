/* SPDX-License-Identifier: MIT */
/*
 * Objects that gain or lose a name. meta.links counts the names beyond the first that hier_link
 * gave; it changes only under meta.links_lock, which is taken last and held until the change that
 * the new value belongs to was carried out.
 *
 * An intent says the new value, not the difference, so that it can be carried out again; therefore
 * no other change of links may come in between. meta.links_by is durable before the intent is
 * committed and cleared after it was carried out (that lost, it costs a look at the directory).
 * Whoever meets it (a crash left it) locks that directory, which finishes whatever was to be
 * finished, and clears it. Half an ID names nothing and is cleared likewise.
 */
#include "inside.h"

static struct twz_mutex *lock_of(const twzobj *obj)
{
    return (struct twz_mutex *)(void *)&twz_object_meta(obj)->links_lock;
}

static void links_by_set(const twzobj *obj, objid_t dir)
{
    struct twz_meta *meta = twz_object_meta(obj);

    twz_persist_store64(&meta->links_by.lo, dir.lo);
    twz_persist_store64(&meta->links_by.hi, dir.hi);
    twz_persist_flush(&meta->links_by, sizeof(meta->links_by)); /* the intent's fence does it */
}

static int links_open(objid_t id, twzobj *obj)
{
    int err = twz_object_init_guid(obj, id, TWZ_READ | TWZ_WRITE);

    if (err < 0)
        return err;
    err = twz_touch(twz_object_meta(obj), sizeof(struct twz_meta));
    if (err >= 0)
        err = twz_mutex_lock_for(lock_of(obj), HIER_LOCK_TIMEOUT);
    if (err < 0)
        twz_object_release(obj);
    return err < 0 ? err : 0; /* what a dead owner left stands in links_by */
}

static void links_close(twzobj *obj)
{
    if (!obj->start)
        return;
    twz_mutex_unlock(lock_of(obj));
    twz_object_release(obj);
}

static int links_lock(struct hier *h, objid_t id, twzobj *obj)
{
    objid_t by;
    int err = links_open(id, obj);

    if (err < 0)
        return err;
    by = twz_object_meta(obj)->links_by;
    if (objid_is_none(by) || objid_equal(by, h->id))
        return 0; /* h is locked, so nothing of its own is unfinished */
    links_close(obj);
    h->busy_obj = id;
    h->busy_dir = by;
    return -TWZ_EAGAIN;
}

/* Where the directory's lock was not to be had, it may be at work: links_by stays. */
static void finish_busy(struct hier *h)
{
    struct hier other;
    struct hier *set[] = { &other };
    int err = -TWZ_ENOOBJ;
    twzobj dir, obj;

    if (twz_object_init_guid(&dir, h->busy_dir, TWZ_READ | TWZ_WRITE) < 0)
        dir = (twzobj){ 0 };
    if (dir.start && hier_attach(&dir, &other) == 0)
        err = hier_lock(set, 1);
    if (err == -TWZ_EBUSY) {
        h->again = HIER_AGAIN;
    } else if (links_open(h->busy_obj, &obj) == 0) {
        if (objid_equal(twz_object_meta(&obj)->links_by, h->busy_dir))
            links_by_set(&obj, TWZ_OBJID_NONE);
        links_close(&obj);
    }
    if (err == 0)
        hier_unlock(set, 1);
    twz_object_release(&dir);
}

int hier_again(struct hier *h, int r)
{
    if (r != -TWZ_EAGAIN || h->again++ >= HIER_AGAIN)
        return 0;
    if (!objid_is_none(h->busy_dir))
        finish_busy(h);
    h->busy_dir = TWZ_OBJID_NONE;
    return 1;
}

int hier_victim_prepare(struct hier *h, const struct hier_found *found, uint32_t flags,
                        struct hier_victim *v)
{
    int err;

    *v = (struct hier_victim){ .links = HIER_LINKS_KEEP };
    if (found->kind == HIER_DIR) {
        if (hier_is_child(found->id, h->id) <= 0)
            return 0; /* another one's: the name alone goes */
        v->id = found->id;
        v->links = HIER_LINKS_DELETE;
        return 0;
    }
    if (found->kind != HIER_OBJECT || !(flags & HIER_DELETE))
        return 0;
    err = links_lock(h, found->id, &v->obj);
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
        links_by_set(&v->obj, h->id);
}

void hier_victim_done(struct hier_victim *v)
{
    if (!v->obj.start)
        return;
    if (v->links != HIER_LINKS_DELETE && !objid_is_none(twz_object_meta(&v->obj)->links_by))
        links_by_set(&v->obj, TWZ_OBJID_NONE);
    links_close(&v->obj);
}

/* --- a further name --------------------------------------------------------------------------- */

static int link_locked(struct hier *h, const struct hier_new *entry)
{
    struct hier_intent intent = { .victim = entry->id };
    struct hier_victim v = { .id = entry->id };
    struct hier_place place;
    uint64_t chunk;
    int used;
    int err = hier_find(h, entry->name, &place);

    if (err != -TWZ_ENONAME)
        return err == 0 ? -TWZ_EEXIST : err;
    err = links_lock(h, entry->id, &v.obj);
    if (err < 0)
        return err;
    v.links = twz_object_meta(&v.obj)->links + 1;
    hier_begin(h);
    err = hier_place_new(h, entry, &chunk, &intent.to_slot);
    if (err >= 0) {
        used = *hier_word(h, intent.to_slot) == 0;
        hier_entry_write(h, chunk, entry);
        intent.to_value = HIER_BUCKET(entry->hash, chunk);
        intent.victim_links = v.links;
        hier_victim_mark(h, &v);
        hier_complete(h, h, &intent);
        hier_count_add(h, 1, used);
    }
    hier_end(h);
    hier_victim_done(&v);
    return err;
}

int hier_link(const twzobj *dir, struct hier_name name, objid_t id)
{
    struct hier_new entry = { .name = name, .kind = HIER_OBJECT, .id = id };
    struct hier h;
    int err = hier_open_name(dir, name, &h);

    if (err < 0)
        return err;
    entry.hash = hier_hash(name);
    do {
        err = hier_lock_one(&h);
        if (err < 0)
            return err;
        err = link_locked(&h, &entry);
        hier_unlock_one(&h);
    } while (hier_again(&h, err));
    return err;
}
