/* SPDX-License-Identifier: MIT */
/*
 * Owns the tree of kernel state objects: the root, its children, and the system's facts. All of it
 * is volatile, made at each boot, and written only here.
 *
 * Tables are read by user code while they change: an entry's id and flags are written before its
 * kind when it appears, and the kind is cleared first when it goes. Nothing in a table is read back
 * by the kernel but the ids it wrote itself (directories made by users may hold anything; a child
 * found there is only a number).
 *
 * Locks: kso_lock over tables, then the object's.
 */
#include <kernel/boot.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/view.h>
#include <lib/string.h>
#include <store/persist.h>

static struct spinlock kso_lock;
static struct object *root;
static struct object *system_obj;
static struct twz_system *facts;

static struct object *make(uint32_t kind, uint32_t perms)
{
    struct obj_spec spec = { .kind = kind, .perms = perms };
    struct object *obj;

    if (obj_create(&spec, &obj) < 0)
        panic("no memory for the first objects");
    return obj;
}

static void fill_facts(void)
{
    struct arch_clock clock;

    arch_clock_params(&clock);
    facts->magic = TWZ_SYSTEM_MAGIC;
    facts->version = 1;
    facts->clock_mult = clock.mult;
    facts->clock_shift = clock.shift;
    facts->clock_offset = clock.offset;
    facts->wall_offset = clock.wall_offset;
    facts->memory = phys_total_frames() * TWZ_PAGE_SIZE;
    facts->pool_size = pool_size();
    facts->kso_root = root->id;
    facts->persist_kind = persist_x86.kind;
    facts->persist_traced = persist_x86.traced;
    facts->xsave_size = arch_xsave_size();
    memcpy(facts->kernel_hash, boot_info.kernel_hash, sizeof(facts->kernel_hash));
}

static void fill_pool_facts(void)
{
    struct store *store = pool_lock();

    if (store) {
        const struct store_super *super = store_super_get(store);

        memcpy(facts->pool_uuid, super->uuid, sizeof(facts->pool_uuid));
        facts->names_root = super->roots.names;
        facts->init = super->roots.init;
        facts->resume_count = store_mono_get(store, STORE_MONO_RESUME) + 1;
        if (store_mono_raise(store, STORE_MONO_RESUME, facts->resume_count) < 0)
            log_printf("pool: the count of boots could not be raised");
    }
    pool_unlock();
}

void kso_system_update(void)
{
    struct store_usage addrspace = { 0 };
    struct store *store = pool_lock();

    if (store)
        store_usage(store, &addrspace);
    pool_unlock();
    facts->pool_free = addrspace.free * STORE_FRAME_SIZE;
    facts->memory_free = phys_free_frames() * TWZ_PAGE_SIZE;
    facts->cores = arch_cpu_count();
}

void kso_init(void)
{
    static const char name[] = "root";
    struct twz_kso_dir *dir;

    root = make(TWZ_KIND_ROOT, TWZ_READ | TWZ_USE);
    system_obj = make(TWZ_KIND_SYSTEM, TWZ_READ);
    dir = obj_frame(root, 1);
    facts = obj_frame(system_obj, 1);
    if (!dir || !facts)
        panic("no memory for the first objects");
    dir->magic = TWZ_KSO_MAGIC;
    dir->kind = TWZ_KIND_ROOT;
    memcpy(dir->name, name, sizeof(name));
    fill_facts();
    fill_pool_facts();
    kso_system_update();
    if (kso_attach(root, system_obj, UINT64_MAX) < 0)
        panic("no memory for the first objects");
}

struct object *kso_root(void)
{
    return root;
}

struct object *kso_system(void)
{
    return system_obj;
}

uint64_t kso_resume_count(void)
{
    return facts->resume_count;
}

void kso_set_console(struct object *console)
{
    facts->console = console->id;
}

/* --- tables ----------------------------------------------------------------------------------- */

#define FIND_BATCH 32u
#define COUNT_OFF  (TWZ_OBJ_BASE + offsetof(struct twz_kso_dir, count))

static uint64_t child_off(uint64_t index)
{
    return TWZ_OBJ_BASE + sizeof(struct twz_kso_dir) + index * sizeof(struct twz_kso_child);
}

static bool is_table(const struct object *obj)
{
    return obj->kind == TWZ_KIND_ROOT || obj->kind == TWZ_KIND_DIR;
}

static int read_count(struct object *dir, uint32_t *count)
{
    int err = obj_read(dir, COUNT_OFF, count, sizeof(*count));

    if (err == 0 && *count > TWZ_KSO_MAX_CHILDREN)
        err = -TWZ_EDAMAGED;
    return err;
}

/* The first index below count that holds `id` (none: a free one), or count. */
static int64_t find_child(struct object *dir, uint32_t count, objid_t id)
{
    struct twz_kso_child child[FIND_BATCH];
    uint32_t at, i;

    for (at = 0; at < count; at += FIND_BATCH) {
        uint32_t n = count - at < FIND_BATCH ? count - at : FIND_BATCH;
        int err = obj_read(dir, child_off(at), child, n * sizeof(child[0]));

        if (err < 0)
            return err;
        for (i = 0; i < n; i++)
            if (objid_equal(child[i].id, id))
                return at + i;
    }
    return count;
}

static int put_child(struct object *dir, uint64_t index, const struct twz_kso_child *child)
{
    uint32_t count;
    int err = obj_write(dir, child_off(index), child, sizeof(*child));

    if (err == 0)
        err = read_count(dir, &count);
    if (err == 0 && index >= count) {
        count = (uint32_t)index + 1;
        err = obj_write(dir, COUNT_OFF, &count, sizeof(count));
    }
    return err;
}

static int64_t attach_locked(struct object *parent, struct object *child, uint64_t index)
{
    struct twz_kso_child entry = { .id = child->id, .kind = child->kind };
    struct twz_kso_child old = { .id = TWZ_OBJID_NONE };
    uint32_t count;
    int64_t at = read_count(parent, &count);

    if (at == 0 && index == UINT64_MAX)
        at = find_child(parent, count, TWZ_OBJID_NONE);
    else if (at == 0)
        at = (int64_t)index;
    if (at < 0)
        return at;
    if (at >= (int64_t)TWZ_KSO_MAX_CHILDREN)
        return -TWZ_EFULL;
    if (obj_read(parent, child_off((uint64_t)at), &old, sizeof(old)) < 0)
        return -TWZ_EDAMAGED;
    if (!objid_is_none(old.id))
        return -TWZ_EEXIST;
    entry.index = (uint32_t)at;
    return put_child(parent, (uint64_t)at, &entry) < 0 ? -TWZ_ENOMEM : at;
}

int64_t kso_attach(struct object *parent, struct object *child, uint64_t index)
{
    int64_t ret;

    if (!is_table(parent))
        return -TWZ_ETYPE;
    if (index != UINT64_MAX && index >= TWZ_KSO_MAX_CHILDREN)
        return -TWZ_ERANGE;
    spin_lock(&kso_lock);
    ret = attach_locked(parent, child, index);
    spin_unlock(&kso_lock);
    return ret;
}

static int64_t detach_locked(struct object *parent, objid_t child, uint64_t index)
{
    static const struct twz_kso_child none;
    struct twz_kso_child old;
    uint32_t count;
    int64_t at = read_count(parent, &count);

    if (at == 0)
        at = index == UINT64_MAX ? find_child(parent, count, child) : (int64_t)index;
    if (at < 0)
        return at;
    if (at >= (int64_t)count)
        return -TWZ_ENOOBJ;
    if (obj_read(parent, child_off((uint64_t)at), &old, sizeof(old)) < 0)
        return -TWZ_EDAMAGED;
    if (!objid_equal(old.id, child))
        return -TWZ_ENOOBJ;
    return put_child(parent, (uint64_t)at, &none) < 0 ? -TWZ_ENOMEM : at;
}

int64_t kso_detach(struct object *parent, objid_t child, uint64_t index)
{
    int64_t ret;

    if (!is_table(parent) || objid_is_none(child))
        return -TWZ_ETYPE;
    if (index != UINT64_MAX && index >= TWZ_KSO_MAX_CHILDREN)
        return -TWZ_ERANGE;
    spin_lock(&kso_lock);
    ret = detach_locked(parent, child, index);
    spin_unlock(&kso_lock);
    return ret;
}

int kso_invalidate(struct object *obj, uint64_t first, uint64_t count)
{
    if (obj->kind == TWZ_KIND_DATA)
        return -TWZ_ETYPE;
    if (obj->kind != TWZ_KIND_VIEW)
        return 0;
    if (first >= TWZ_SLOTS || count > TWZ_SLOTS - first)
        return -TWZ_ERANGE;
    view_invalidate(obj, (uint32_t)first, (uint32_t)count);
    return 0;
}
