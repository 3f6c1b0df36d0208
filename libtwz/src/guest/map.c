/* SPDX-License-Identifier: MIT */
/*
 * Mappings of objects in the slots of the view. Two tables describe them:
 *   - The table of the view. Several copies of this library use it, since the program and the
 *     runtime share a view. A thread claims a slot by an exchange of its flags from 0 to
 *     TWZ_VE_TAKEN, so this table needs no lock.
 *   - `maps`, the table of this copy. It counts the uses of each mapping. `lock` guards it, and
 *     `slots`, which chooses the slots at random.
 * At most IDLE_MAX mappings without a use remain, since programs open the same objects again and
 * again. A mapping of an object that this copy has deleted does not remain after its last use.
 */
#include <twz/mutex.h>

#include "guest.h"

#define MAPS      2048u /* power of two */
#define IDLE_MAX  64u
#define IDLE_KEEP 32u

enum map_state { FREE, USED, DELETED };

struct map {
    objid_t id;
    uint32_t rights;
    uint32_t slot;
    uint32_t uses;
    uint32_t state;
    uint64_t idle_since; /* count of releases */
};

static struct twz_mutex lock;
static struct map maps[MAPS];
static uint32_t idle;
static uint64_t releases;
static struct slots slots;

static void lock_maps(void)
{
    int died = twz_mutex_lock(&lock);

    (void)died; /* no repair: a killed thread may at worst have leaked a slot */
}

/* --- the view's table ------------------------------------------------------------------------- */

void view_entry_write(struct twz_view_entry *entry, objid_t id, uint64_t flags)
{
    entry->id = id;
    __atomic_store_n(&entry->flags, flags, __ATOMIC_RELEASE);
}

void view_free_slot(uint32_t slot)
{
    struct twz_view_entry *entry = view_entry(slot);

    twz_ptr_forget(slot_start(slot));
    __atomic_store_n(&entry->flags, TWZ_VE_TAKEN, __ATOMIC_RELEASE);
    (void)twz_sys_kso_invalidate(view_id(), slot, 1);
    __atomic_store_n(&entry->flags, 0, __ATOMIC_RELEASE);
}

uint32_t view_claim_slot(void)
{
    uint32_t slot;

    lock_maps();
    slot = slots_claim(&slots, view_table(view_start()), 1);
    twz_mutex_unlock(&lock);
    return slot;
}

/* --- mappings --------------------------------------------------------------------------------- */

static uint32_t map_hash(objid_t id, uint32_t rights)
{
    return (objid_hash(id) + rights) & (MAPS - 1);
}

/* *free_entry: if it is not found, the entry where it can be added; NULL if the table is full. */
static struct map *find_map(objid_t id, uint32_t rights, struct map **free_entry)
{
    uint32_t at = map_hash(id, rights);

    for (uint32_t i = 0; i < MAPS; i++, at = (at + 1) & (MAPS - 1)) {
        struct map *m = &maps[at];

        if (m->state == FREE) {
            *free_entry = m;
            return NULL;
        }
        if (m->rights == rights && objid_equal(m->id, id))
            return m;
    }
    *free_entry = NULL;
    return NULL;
}

/* Free the slot and the entry, and move later entries of its run up. */
static void remove_map(struct map *m)
{
    uint32_t hole = (uint32_t)(m - maps);
    uint32_t at = hole;

    view_free_slot(m->slot);
    for (;;) {
        uint32_t home;

        maps[hole].state = FREE;
        do {
            at = (at + 1) & (MAPS - 1);
            if (maps[at].state == FREE)
                return;
            home = map_hash(maps[at].id, maps[at].rights);
        } while (((at - home) & (MAPS - 1)) < ((at - hole) & (MAPS - 1)));
        maps[hole] = maps[at];
        hole = at;
    }
}

/* Remove all unused mappings except the IDLE_KEEP that were released last, in one pass over the
 * table. remove_map may move another entry into this one, so it is checked again. */
static void trim_idle(void)
{
    for (uint32_t i = 0; i < MAPS; i++) {
        struct map *m = &maps[i];

        while (m->state == USED && m->uses == 0 && m->idle_since + IDLE_KEEP <= releases) {
            idle--;
            remove_map(m);
        }
    }
}

/* The object exists and may be accessed, or -TWZ_E*. To flush none of its pages is the cheapest
 * call that finds it; obj_stat counts them all. -TWZ_EINVAL (nothing to flush in this kind) and
 * -TWZ_EBUSY show that it exists. */
static int check_exists(objid_t id)
{
    int err = (int)twz_sys_obj_range(id, TWZ_RANGE_PERSIST, TWZ_OBJ_BASE, 0);

    return err == -TWZ_EINVAL || err == -TWZ_EBUSY ? 0 : err;
}

static int add_map(objid_t id, uint32_t rights, struct map *free_entry)
{
    uint32_t slot;
    int err = check_exists(id);

    if (err < 0)
        return err;
    slot = free_entry ? slots_claim(&slots, view_table(view_start()), 1) : 0;
    if (slot == 0)
        return -TWZ_EFULL;
    view_entry_write(view_entry(slot), id, TWZ_VE_VALID | rights);
    *free_entry =
        (struct map){ .id = id, .rights = rights, .slot = slot, .uses = 0, .state = USED };
    return 0;
}

int plat_map(objid_t id, uint32_t rights, uint8_t **start)
{
    struct map *free_entry = NULL;
    struct map *m;
    int err = 0;

    lock_maps();
    m = find_map(id, rights, &free_entry);
    if (m) {
        idle -= m->uses == 0;
    } else {
        err = add_map(id, rights, free_entry);
        m = free_entry;
    }
    if (err >= 0) {
        m->uses++;
        *start = slot_start(m->slot);
    }
    twz_mutex_unlock(&lock);
    return err;
}

void plat_unmap(uint8_t *start, objid_t id, uint32_t rights)
{
    struct map *free_entry;
    struct map *m;

    (void)start;
    lock_maps();
    m = find_map(id, rights, &free_entry);
    if (!m || m->uses == 0 || --m->uses > 0) {
        twz_mutex_unlock(&lock);
        return;
    }
    if (m->state == DELETED) {
        remove_map(m);
    } else {
        m->idle_since = ++releases;
        if (++idle > IDLE_MAX)
            trim_idle();
    }
    twz_mutex_unlock(&lock);
}

int plat_id_at(const void *addr, objid_t *id, uint32_t *rights)
{
    uint64_t slot = (uint64_t)(uintptr_t)addr >> TWZ_OBJ_SHIFT;
    const struct twz_view_entry *entry;
    uint64_t flags;

    if (slot >= TWZ_SLOTS)
        return -TWZ_ENOOBJ;
    entry = view_entry((uint32_t)slot);
    flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
    if (!(flags & TWZ_VE_VALID))
        return -TWZ_ENOOBJ;
    *id = entry->id;
    *rights = (uint32_t)flags & (TWZ_READ | TWZ_WRITE | TWZ_EXEC);
    return 0;
}

/* Before a deletion: unmap the unused mappings, which would keep the object, and mark the others so
 * that they are unmapped when they are released. */
static void uncache(objid_t id)
{
    static const uint32_t kinds[] = { TWZ_READ, TWZ_READ | TWZ_WRITE, TWZ_READ | TWZ_EXEC };
    struct map *free_entry;

    lock_maps();
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct map *m = find_map(id, kinds[i], &free_entry);

        if (m && m->uses == 0) {
            idle--;
            remove_map(m);
        } else if (m) {
            m->state = DELETED;
        }
    }
    twz_mutex_unlock(&lock);
}

int plat_obj_delete(objid_t id, uint64_t flags)
{
    uncache(id);
    return (int)twz_sys_obj_delete(id, flags);
}
