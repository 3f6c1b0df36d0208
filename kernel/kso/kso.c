/* SPDX-License-Identifier: MIT */
/*
 * Owns the tree of kernel state objects: the root, the directories, and the system object with its
 * information page. The root and the system object are volatile and created at each boot, with the
 * same IDs at each boot of a pool.
 *
 * User code may read a table while the kernel changes it. The kernel must therefore write the whole
 * entry before it raises the count to include the entry. The kernel does not trust the table of a
 * user's directory: it checks the count, and only compares the IDs.
 *
 * Lock order: kso_lock -> object.
 */
#include <kernel/boot.h>
#include <kernel/kmem.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/thread.h>
#include <kernel/view.h>
#include <lib/string.h>
#include <store/persist.h>
#include <twz/hostlink.h>
#include <verify/hash.h>

static SHARED_LOCK struct spinlock kso_lock;
static struct object *root;
static struct object *system_obj;
static struct twz_system *info; /* the system information page */

/* The nonce of one of the kernel's own objects: a hash of its name and of the pool's UUID. */
static void derive_nonce(const char *name, uint64_t nonce[2])
{
    struct store *store = pool_lock();
    struct hash hash;

    hash_init(&hash, 2 * sizeof(nonce[0]));
    if (store)
        hash_update(&hash, store_super_get(store)->uuid, sizeof(store_super_get(store)->uuid));
    pool_unlock();
    hash_update(&hash, name, strlen(name));
    hash_final(&hash, nonce, 2 * sizeof(nonce[0]));
}

struct object *kso_create(const char *name, uint32_t kind, uint32_t perms)
{
    uint64_t nonce[2];
    struct obj_spec spec = { .kind = kind, .perms = perms, .nonce = nonce };
    struct object *obj;

    derive_nonce(name, nonce);
    if (obj_create(&spec, &obj) < 0)
        panic("no memory for the object %s", name);
    return obj;
}

int kso_get_stored(const char *name, uint32_t kind, uint32_t perms, struct object **out)
{
    struct store *store = pool_lock();
    objid_t owner = store ? store_super_get(store)->roots.owner : TWZ_OBJID_NONE;
    uint64_t nonce[2];
    struct obj_spec spec = {
        .flags = TWZ_OBJ_PERSIST, .kind = kind, .perms = perms, .kuid = owner, .nonce = nonce
    };
    int err;

    pool_unlock();
    derive_nonce(name, nonce);
    err = obj_get(hash_objid(nonce, perms, owner), out);
    return err == -TWZ_ENOOBJ ? obj_create(&spec, out) : err;
}

static void fill_system_info(void)
{
    struct arch_clock clock;

    arch_clock_params(&clock);
    info->magic = TWZ_SYSTEM_MAGIC;
    info->version = TWZ_SYSTEM_VERSION;
    info->clock_mult = clock.mult;
    info->clock_shift = clock.shift;
    info->clock_offset = clock.offset;
    info->wall_offset = clock.wall_offset;
    info->memory = phys_total_frames() * TWZ_PAGE_SIZE;
    info->pool_size = pool_size();
    info->kso_root = root->id;
    info->persist_kind = persist_x86.kind;
    info->persist_traced = persist_x86.traced;
    info->xsave_size = arch_xsave_size();
    memcpy(info->kernel_hash, boot_info.kernel_hash, sizeof(info->kernel_hash));
}

static void fill_pool_info(void)
{
    struct store *store = pool_lock();

    if (store) {
        const struct store_super *super = store_super_get(store);

        memcpy(info->pool_uuid, super->uuid, sizeof(info->pool_uuid));
        info->names_root = super->roots.names;
        info->init = super->roots.init;
        info->resume_count = store_mono_get(store, STORE_MONO_RESUME) + 1;
        if (store_mono_raise(store, STORE_MONO_RESUME, info->resume_count) < 0)
            fatal(TWZ_HOST_STOP_DAMAGED, "the pool's count of boots cannot be raised");
    }
    pool_unlock();
}

void kso_system_update(void)
{
    struct store_usage usage = { 0 };
    struct store *store = pool_lock();

    if (store)
        store_usage(store, &usage);
    pool_unlock();
    info->pool_free = usage.free * STORE_FRAME_SIZE;
    info->memory_free = phys_free_frames() * TWZ_PAGE_SIZE;
    info->cores = arch_cpu_count();
    info->kernel_memory = kmem_bytes();
    info->kernel_used = kmem_used();
    info->objects = obj_count();
    info->threads = thread_count();
}

void kso_init(void)
{
    static const char name[] = "root";
    struct twz_kso_dir *dir;

    root = kso_create("root", TWZ_KIND_ROOT, TWZ_READ | TWZ_USE);
    system_obj = kso_create("system", TWZ_KIND_SYSTEM, TWZ_READ);
    dir = obj_frame(root, 1);
    info = obj_frame(system_obj, 1);
    if (!dir || !info)
        panic("no memory for the first objects");
    dir->magic = TWZ_KSO_MAGIC;
    dir->kind = TWZ_KIND_ROOT;
    memcpy(dir->name, name, sizeof(name));
    fill_system_info();
    fill_pool_info();
    kso_system_update();
    if (kso_attach_fixed(system_obj) < 0)
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
    return info->resume_count;
}

void kso_set_account(struct object *account)
{
    info->account = account->id;
}

void kso_set_console(struct object *console)
{
    info->console = console->id;
}

/* --- tables ----------------------------------------------------------------------------------- */

#define FIND_BATCH   32u
#define FIND_STAY    1024u /* entries looked at in one stay in the kernel */
#define COUNT_OFFSET (TWZ_OBJ_BASE + offsetof(struct twz_kso_dir, count))

static uint64_t child_offset(uint64_t index)
{
    return TWZ_OBJ_BASE + sizeof(struct twz_kso_dir) + index * sizeof(struct twz_kso_child);
}

static bool is_kso_directory(const struct object *obj)
{
    return obj->kind == TWZ_KIND_ROOT || obj->kind == TWZ_KIND_DIR;
}

static int read_child_count(struct object *dir, uint32_t *count)
{
    int err = obj_read(dir, COUNT_OFFSET, count, sizeof(*count));

    if (err == 0 && *count > TWZ_KSO_MAX_CHILDREN)
        err = -TWZ_EDAMAGED;
    return err;
}

/* Finds the first entry with that ID from *at on, and moves *at to it, or to count if there is
 * none. TWZ_OBJID_NONE stands for a free entry. Looks at FIND_STAY entries; then returns
 * -TWZ_EAGAIN, with *at behind them. */
static int find_child(struct object *dir, uint32_t count, objid_t id, uint64_t *at)
{
    struct twz_kso_child child[FIND_BATCH];
    uint64_t end = *at + FIND_STAY;

    while (*at < count && *at < end) {
        uint32_t n = count - *at < FIND_BATCH ? count - (uint32_t)*at : FIND_BATCH;
        int err = obj_read(dir, child_offset(*at), child, n * sizeof(child[0]));

        if (err < 0)
            return err;
        for (uint32_t i = 0; i < n; i++, (*at)++)
            if (objid_equal(child[i].id, id))
                return 0;
    }
    return *at < count ? -TWZ_EAGAIN : 0;
}

/* Moves *at to the entry that the caller means: `index`, or the first one with that ID. */
static int choose_child(struct object *dir, uint64_t index, objid_t id, uint32_t *count,
                        uint64_t *at)
{
    int err = read_child_count(dir, count);

    if (err < 0)
        return err;
    if (index == UINT64_MAX)
        return find_child(dir, *count, id, at);
    *at = index;
    return 0;
}

/* Writes an entry, then raises the count if the count does not include the entry yet. */
static int write_child(struct object *dir, uint64_t index, const struct twz_kso_child *child)
{
    uint32_t count;
    int err = obj_write(dir, child_offset(index), child, sizeof(*child));

    if (err == 0)
        err = read_child_count(dir, &count);
    if (err == 0 && index >= count) {
        count = (uint32_t)index + 1;
        err = obj_write(dir, COUNT_OFFSET, &count, sizeof(count));
    }
    return err;
}

/* Enters child at the entry that *at or index means. An entry with a zero ID is free, below the
 * count and above it. The caller must hold kso_lock. */
static int attach_locked(struct object *parent, const struct twz_kso_child *child, uint64_t index,
                         uint64_t *at)
{
    struct twz_kso_child entry = *child, old = { .id = TWZ_OBJID_NONE };
    uint32_t count;
    int err = choose_child(parent, index, TWZ_OBJID_NONE, &count, at);

    if (err < 0)
        return err;
    if (*at >= TWZ_KSO_MAX_CHILDREN)
        return -TWZ_EFULL;
    if (obj_read(parent, child_offset(*at), &old, sizeof(old)) < 0)
        return -TWZ_EDAMAGED;
    if (!objid_is_none(old.id))
        return -TWZ_EEXIST;
    entry.index = (uint32_t)*at;
    return write_child(parent, *at, &entry) < 0 ? -TWZ_ENOMEM : 0;
}

static int check_table(const struct object *parent, uint64_t index)
{
    if (!is_kso_directory(parent))
        return -TWZ_ETYPE;
    return index != UINT64_MAX && index >= TWZ_KSO_MAX_CHILDREN ? -TWZ_ERANGE : 0;
}

int kso_attach(struct object *parent, struct object *child, uint64_t index, uint64_t *at)
{
    struct twz_kso_child entry = { .id = child->id, .kind = child->kind };
    int err = check_table(parent, index);

    if (err < 0)
        return err;
    spin_lock(&kso_lock);
    err = attach_locked(parent, &entry, index, at);
    spin_unlock(&kso_lock);
    return err;
}

int kso_attach_fixed(struct object *child)
{
    struct twz_kso_child entry = { .id = child->id,
                                   .kind = child->kind,
                                   .flags = TWZ_KSO_CHILD_FIXED };
    uint64_t at = 0;
    int err;

    do {
        spin_lock(&kso_lock);
        err = attach_locked(root, &entry, UINT64_MAX, &at);
        spin_unlock(&kso_lock);
    } while (err == -TWZ_EAGAIN);
    return err;
}

/* Removes the entry that *at or index means. The caller must hold kso_lock. */
static int detach_locked(struct object *parent, objid_t child, uint64_t index, uint64_t *at)
{
    static const struct twz_kso_child none;
    struct twz_kso_child old;
    uint32_t count;
    int err = choose_child(parent, index, child, &count, at);

    if (err < 0)
        return err;
    if (*at >= count)
        return -TWZ_ENOOBJ;
    if (obj_read(parent, child_offset(*at), &old, sizeof(old)) < 0)
        return -TWZ_EDAMAGED;
    if (!objid_equal(old.id, child))
        return -TWZ_ENOOBJ;
    if (parent == root && (old.flags & TWZ_KSO_CHILD_FIXED) != 0)
        return -TWZ_EDENIED;
    return write_child(parent, *at, &none) < 0 ? -TWZ_ENOMEM : 0;
}

int kso_detach(struct object *parent, objid_t child, uint64_t index, uint64_t *at)
{
    int err = objid_is_none(child) ? -TWZ_ETYPE : check_table(parent, index);

    if (err < 0)
        return err;
    spin_lock(&kso_lock);
    err = detach_locked(parent, child, index, at);
    spin_unlock(&kso_lock);
    return err;
}

int kso_invalidate(struct object *obj, uint64_t first, uint64_t count, uint32_t *done)
{
    uint32_t slot;
    bool more;

    if (obj->kind == TWZ_KIND_DATA)
        return -TWZ_ETYPE;
    if (obj->kind != TWZ_KIND_VIEW)
        return 0;
    if (first >= TWZ_SLOTS || count > TWZ_SLOTS - first)
        return -TWZ_ERANGE;
    if (*done >= count)
        return 0;
    slot = (uint32_t)first + *done;
    more = view_invalidate_some(obj, &slot, (uint32_t)(first + count));
    *done = slot - (uint32_t)first;
    return more ? 1 : 0;
}
