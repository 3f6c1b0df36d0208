/* SPDX-License-Identifier: MIT */
/*
 * Objects that gain or lose a name. meta.links counts the names beyond the first that hier_link
 * gave; it changes only under meta.links_lock, which is taken last and held until the change that
 * the new value belongs to was carried out.
 */
#include "inside.h"

static int links_lock(twzobj *obj, objid_t id)
{
    int r = twz_object_init_guid(obj, id, TWZ_READ | TWZ_WRITE);

    if (r < 0)
        return r;
    r = twz_touch(twz_object_meta(obj), sizeof(struct twz_meta));
    if (r >= 0)
        r = twz_mutex_lock((struct twz_mutex *)(void *)&twz_object_meta(obj)->links_lock);
    if (r < 0)
        twz_object_release(obj);
    return r < 0 ? r : 0; /* a dead owner left nothing half done: links is one word */
}

void hier_links_unlock(twzobj *obj)
{
    if (!obj->start)
        return;
    twz_mutex_unlock((struct twz_mutex *)(void *)&twz_object_meta(obj)->links_lock);
    twz_object_release(obj);
}

/* An entry goes: what of the object? A name whose object is gone already may always be removed. */
int hier_victim_prepare(const struct hier_found *found, uint32_t flags, struct hier_victim *v)
{
    int r;

    *v = (struct hier_victim){ .links = HIER_LINKS_KEEP };
    if (found->kind == HIER_DIR) {
        v->id = found->id;
        v->links = HIER_LINKS_DELETE;
        return 0;
    }
    if (found->kind != HIER_OBJECT || !(flags & HIER_DELETE))
        return 0;
    r = links_lock(&v->obj, found->id);
    if (r == -TWZ_ENOOBJ || r == -TWZ_EDELETED)
        return 0;
    if (r < 0)
        return r;
    v->id = found->id;
    v->links = twz_object_meta(&v->obj)->links;
    v->links = v->links ? v->links - 1 : HIER_LINKS_DELETE;
    return 0;
}

int hier_link(const twzobj *dir, struct hier_name name, objid_t id)
{
    struct hier_new entry = { .name = name, .kind = HIER_OBJECT, .id = id };
    struct hier_intent intent = { .victim = id };
    struct hier_place place;
    twzobj obj = { 0 };
    uint64_t chunk;
    struct hier h;
    int r = hier_open_name(dir, name, &h);

    if (r < 0)
        return r;
    entry.hash = hier_hash(name);
    r = hier_lock_one(&h);
    if (r < 0)
        return r;
    r = hier_find(&h, name, &place);
    if (r != -TWZ_ENONAME) {
        r = r == 0 ? -TWZ_EEXIST : r;
        goto out;
    }
    r = links_lock(&obj, id);
    if (r < 0)
        goto out;
    hier_begin(&h);
    r = hier_place_new(&h, &entry, &chunk, &intent.to_slot);
    if (r >= 0) {
        int used = *hier_word(&h, intent.to_slot) == 0;

        hier_entry_write(&h, chunk, &entry);
        intent.to_value = HIER_SLOT(entry.hash, chunk);
        intent.victim_links = twz_object_meta(&obj)->links + 1;
        hier_forward(&h, &h, &intent);
        hier_count_add(&h, 1, used);
    }
    hier_end(&h);
    hier_links_unlock(&obj);
out:
    hier_unlock_one(&h);
    return r;
}
