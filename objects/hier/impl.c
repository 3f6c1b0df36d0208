/* SPDX-License-Identifier: MIT */
/*
 * The operations on one directory. Each has the shape: look at the arguments, lock, look the names
 * up, refuse what has to be refused, begin, write the new entry aside, COMMIT, clean up, end.
 * Nothing after hier_begin fails but for want of room, and then nothing has changed.
 */
#include "inside.h"

#define DEFAULT_PERMS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

/* --- adding a name ---------------------------------------------------------------------------- */

/* Room for an entry and its slot, nothing visible yet. h is locked and begun. */
int hier_place_new(struct hier *h, const struct hier_new *entry, uint64_t *chunk, uint64_t *slot)
{
    int err = hier_table_room(h);

    if (err >= 0)
        err = hier_chunk_alloc(h, hier_cells(entry), chunk);
    return err < 0 ? err : hier_bucket_pick(h, entry->hash, slot);
}

static void commit_new(struct hier *h, uint64_t slot, uint64_t value)
{
    int used = *hier_word(h, slot) == 0;

    twz_persist_fence();                             /* the entry, before its slot word */
    twz_persist_commit64(hier_word(h, slot), value); /* COMMIT: the name is there */
    hier_count_add(h, 1, used);
}

static int add(const twzobj *obj, struct hier_new *entry)
{
    struct hier_place place;
    uint64_t chunk, slot;
    struct hier h;
    int err = hier_open_name(obj, entry->name, &h);

    if (err < 0)
        return err;
    entry->hash = hier_hash(entry->name);
    err = hier_lock_one(&h);
    if (err < 0)
        return err;
    err = hier_find(&h, entry->name, &place);
    if (err == -TWZ_ENONAME) {
        hier_begin(&h);
        err = hier_place_new(&h, entry, &chunk, &slot);
        if (err >= 0) {
            hier_entry_write(&h, chunk, entry);
            commit_new(&h, slot, HIER_BUCKET(entry->hash, chunk));
        }
        hier_end(&h);
    } else if (err == 0) {
        err = -TWZ_EEXIST;
    }
    hier_unlock_one(&h);
    return err;
}

int hier_insert(const twzobj *obj, struct hier_name name, objid_t id)
{
    struct hier_new entry = { .name = name, .kind = HIER_OBJECT, .id = id };

    return objid_is_none(id) ? -TWZ_EINVAL : add(obj, &entry);
}

int hier_symlink(const twzobj *obj, struct hier_name name, const char *text, size_t text_len)
{
    struct hier_new entry = {
        .name = name, .kind = HIER_SYMLINK, .text = text, .text_len = text_len
    };

    if (text_len == 0 || text_len >= TWZ_PATH_MAX)
        return text_len ? -TWZ_ENAMELEN : -TWZ_EINVAL;
    return add(obj, &entry);
}

/* --- creating and naming at once -------------------------------------------------------------- */

static int make_object(const struct hier *h, const struct hier_create *create, uint64_t slot,
                       uint64_t value, twzobj *obj)
{
    struct twz_create spec = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = create->perms ? create->perms : DEFAULT_PERMS,
        .witness = h->id,
        .witness_off = slot,
        .witness_value = value,
    };
    int err = twz_object_create(obj, &spec);

    if (err < 0)
        return err;
    if (create->kind == HIER_DIR)
        err = hier_init(obj, h->id);
    if (err >= 0 && create->fill)
        err = create->fill(obj, create->ctx);
    if (err < 0) {
        twz_object_delete(obj, TWZ_DELETE_NOW);
        twz_object_release(obj);
    }
    return err;
}

static int create_locked(struct hier *h, struct hier_new *entry, const struct hier_create *create,
                         twzobj *obj)
{
    uint64_t chunk, slot, value;
    int err = hier_place_new(h, entry, &chunk, &slot);

    if (err < 0)
        return err;
    value = HIER_BUCKET(entry->hash, chunk);
    err = make_object(h, create, slot, value, obj);
    if (err < 0) {
        hier_chunk_free(h, chunk);
        return err;
    }
    entry->id = obj->id;
    hier_entry_write(h, chunk, entry);
    twz_persist_store64(&h->dir->intent.to_slot, slot); /* for who comes after us, if we die */
    commit_new(h, slot, value);
    return twz_object_ctl(obj->id, TWZ_CTL_PERMANENT, 0);
}

int hier_create(const twzobj *dir, struct hier_name name, const struct hier_create *create,
                twzobj *out)
{
    struct hier_new entry = { .name = name, .kind = create->kind };
    struct hier_place place;
    struct hier h;
    twzobj obj = { 0 };
    int err = hier_open_name(dir, name, &h);

    if (err < 0)
        return err;
    if (create->kind != HIER_OBJECT && create->kind != HIER_DIR)
        return -TWZ_EINVAL;
    entry.hash = hier_hash(name);
    err = hier_lock_one(&h);
    if (err < 0)
        return err;
    err = hier_find(&h, name, &place);
    if (err == -TWZ_ENONAME) {
        hier_begin(&h);
        err = create_locked(&h, &entry, create, &obj);
        hier_end(&h);
    } else if (err == 0) {
        err = -TWZ_EEXIST;
    }
    hier_unlock_one(&h);
    if (err >= 0 && out)
        *out = obj;
    else
        twz_object_release(&obj);
    return err;
}

/* --- taking a name away ----------------------------------------------------------------------- */

static int remove_locked(struct hier *h, const struct hier_place *place, uint32_t flags)
{
    struct hier_intent intent = {
        .from_slot = place->slot,
        .from_value = place->value,
        .from = h->id,
    };
    struct hier_victim v;
    int err = hier_bucket_is_own(h, place->slot);

    if (err >= 0)
        err = hier_victim_prepare(h, &place->found, flags, &v);
    if (err < 0)
        return err;
    hier_begin(h);
    if (objid_is_none(v.id)) {
        twz_persist_commit64(hier_word(h, place->slot), HIER_TOMB); /* COMMIT: the name is gone */
    } else {
        intent.victim = v.id;
        intent.victim_links = v.links;
        hier_victim_mark(h, &v);
        hier_complete(h, h, &intent);
    }
    hier_chunk_free(h, HIER_BUCKET_OFF(place->value));
    hier_count_add(h, -1, 0);
    hier_end(h);
    hier_victim_done(&v);
    return 0;
}

/* Lock h and the directory that `found` means, and see that it is empty. */
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

static int remove_dir(struct hier *h, struct hier_name name, const struct hier_found *found)
{
    struct hier_place place;
    struct hier child;
    twzobj obj;
    int err = lock_with_child(h, found, &obj, &child);

    if (err < 0)
        return err;
    err = hier_find(h, name, &place);
    if (err >= 0 && !objid_equal(place.found.id, found->id))
        err = -TWZ_EAGAIN;
    if (err >= 0 && child.dir->count != 0)
        err = -TWZ_ENOTEMPTY;
    if (err >= 0)
        err = remove_locked(h, &place, 0);
    hier_unlock((struct hier *[]){ h, &child }, 2);
    twz_object_release(&obj);
    return err;
}

static int remove_once(struct hier *h, struct hier_name name, uint32_t flags)
{
    struct hier_place place;
    int err = hier_lock_one(h);

    if (err < 0)
        return err;
    err = hier_find(h, name, &place);
    if (err >= 0 && (flags & HIER_WANT_DIR) && place.found.kind != HIER_DIR)
        err = -TWZ_ENOTDIR;
    if (err >= 0 && (flags & HIER_NOT_DIR) && place.found.kind == HIER_DIR)
        err = -TWZ_EISDIR;
    if (err >= 0 && place.found.kind != HIER_DIR)
        err = remove_locked(h, &place, flags);
    else if (err >= 0)
        err = 1;
    hier_unlock_one(h);
    return err == 1 ? remove_dir(h, name, &place.found) : err;
}

int hier_remove(const twzobj *obj, struct hier_name name, uint32_t flags)
{
    struct hier h;
    int err = hier_open_name(obj, name, &h);

    if (err < 0)
        return err;
    do {
        err = remove_once(&h, name, flags);
    } while (hier_again(&h, err));
    return err;
}

/* --- replacing -------------------------------------------------------------------------------- */

static int replace_locked(struct hier *h, struct hier_new *entry, uint32_t flags)
{
    struct hier_intent intent = { 0 };
    struct hier_place old;
    struct hier_victim v = { .links = HIER_LINKS_KEEP };
    uint64_t chunk;
    int err = hier_find(h, entry->name, &old);
    int there = err == 0;

    if (err < 0 && err != -TWZ_ENONAME)
        return err;
    if (there && old.found.kind == HIER_DIR)
        return -TWZ_EISDIR;
    if (there && objid_equal(old.found.id, entry->id))
        return 0;
    err = there ? hier_victim_prepare(h, &old.found, flags, &v) : 0;
    if (err < 0)
        return err;
    hier_begin(h);
    err = hier_place_new(h, entry, &chunk, &intent.to_slot);
    if (err >= 0 && there)
        err = hier_find(h, entry->name, &old); /* the table may be another now */
    if (err >= 0 && there)
        err = hier_bucket_is_own(h, old.slot);
    if (err >= 0) {
        int used = !there && *hier_word(h, intent.to_slot) == 0;

        hier_entry_write(h, chunk, entry);
        intent.to_slot = there ? old.slot : intent.to_slot;
        intent.to_value = HIER_BUCKET(entry->hash, chunk);
        intent.victim = v.id;
        intent.victim_links = v.links;
        hier_victim_mark(h, &v);
        hier_complete(h, h, &intent);
        if (there)
            hier_chunk_free(h, HIER_BUCKET_OFF(old.value));
        hier_count_add(h, !there, used);
    }
    hier_end(h);
    hier_victim_done(&v);
    return err;
}

int hier_replace(const twzobj *obj, struct hier_name name, objid_t id, uint32_t flags)
{
    struct hier_new entry = { .name = name, .kind = HIER_OBJECT, .id = id };
    struct hier h;
    int err = hier_open_name(obj, name, &h);

    if (err < 0 || objid_is_none(id))
        return err < 0 ? err : -TWZ_EINVAL;
    entry.hash = hier_hash(name);
    do {
        err = hier_lock_one(&h);
        if (err < 0)
            return err;
        err = replace_locked(&h, &entry, flags);
        hier_unlock_one(&h);
    } while (hier_again(&h, err));
    return err;
}
