/* SPDX-License-Identifier: MIT */
/*
 * Owns the pool: the mapped NVDIMM range, the store over it, and the locks of the store (store.h).
 * The pool's lock is STORE_LOCK_TABLE. Page words need only their object's lock, so a fault takes
 * neither, except to move 64 free frames into its core's reserve. The store names frames by number.
 * In the kernel outside of the store, only this file converts numbers to addresses.
 *
 * Lock order: pool -> frames of the pool -> kmem -> phys.
 */
#include <kernel/boot.h>
#include <kernel/cpu.h>
#include <kernel/kmem.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/pool.h>
#include <lib/string.h>
#include <store/persist.h>
#include <twz/hostlink.h>

#define PREZERO_BATCH 2u

static SHARED_LOCK struct spinlock store_locks[STORE_LOCKS]; /* by STORE_LOCK_* */
static struct store *_Atomic store;
static phys_t pool_base;
static uint64_t pool_bytes;

static void *alloc_store_memory(void *ctx, size_t bytes)
{
    (void)ctx;
    return kmem_alloc(bytes);
}

static void free_store_memory(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    kmem_free(mem, bytes);
}

static uint32_t this_core(void *ctx)
{
    (void)ctx;
    return cpu_this()->id;
}

static void lock_store(void *ctx, uint32_t which)
{
    (void)ctx;
    spin_lock(&store_locks[which]);
}

static void unlock_store(void *ctx, uint32_t which)
{
    (void)ctx;
    spin_unlock(&store_locks[which]);
}

static bool has_lost_read(void *ctx)
{
    (void)ctx;
    return arch_lost_read();
}

static void report_damage(void *ctx, const struct store_report *r)
{
    (void)ctx;
    log_printf("pool: damage: %s at offset %llx, object " IDFMT, r->what,
               (unsigned long long)r->offset, IDPR(r->object));
}

struct store *pool_store(void)
{
    return atomic_load_explicit(&store, memory_order_acquire);
}

struct store *pool_lock(void)
{
    spin_lock(&store_locks[STORE_LOCK_TABLE]);
    return pool_store();
}

void pool_unlock(void)
{
    spin_unlock(&store_locks[STORE_LOCK_TABLE]);
}

uint64_t pool_size(void)
{
    return pool_bytes;
}

phys_t pool_frame_phys(uint32_t frame)
{
    return (phys_t){ pool_base.addr + ((uint64_t)frame << STORE_FRAME_SHIFT) };
}

bool pool_has(phys_t frame)
{
    return frame.addr - pool_base.addr < pool_bytes;
}

uint32_t pool_frame_number(phys_t frame)
{
    return (uint32_t)((frame.addr - pool_base.addr) >> STORE_FRAME_SHIFT);
}

/* Ends the boot with the reason that the store gives. */
static NORETURN void refuse_pool(int code, const struct store_report *why)
{
    const char *what = why->what ? why->what : "";

    switch (-code) {
    case TWZ_ENOTPOOL:
        fatal(TWZ_HOST_STOP_DAMAGED, "no pool: the NVDIMM does not hold one (%s)", what);
    case TWZ_EVERSION:
        fatal(TWZ_HOST_STOP_DAMAGED, "pool of another version: %s: %llu, this kernel knows %llu",
              what, (unsigned long long)why->found, (unsigned long long)why->wanted);
    case TWZ_ESHORT:
        fatal(TWZ_HOST_STOP_DAMAGED, "short pool: %llu bytes, its superblock says %llu",
              (unsigned long long)why->found, (unsigned long long)why->wanted);
    case TWZ_ERANGE:
        fatal(TWZ_HOST_STOP_DAMAGED,
              "pool does not fill its NVDIMM: %llu bytes, superblock says %llu",
              (unsigned long long)why->found, (unsigned long long)why->wanted);
    case TWZ_EMEMBER:
        fatal(TWZ_HOST_STOP_DAMAGED, "member %llu of the pool is missing",
              (unsigned long long)why->found);
    case TWZ_ENOMEM: fatal(TWZ_HOST_STOP_PANIC, "not enough memory to open the pool");
    default:
        fatal(TWZ_HOST_STOP_DAMAGED, "damaged pool: %s at offset %llx: found %llx, wanted %llx",
              what, (unsigned long long)why->offset, (unsigned long long)why->found,
              (unsigned long long)why->wanted);
    }
}

#define NFIT_UNARMED 8u /* state flag of a region that cannot keep its data (ACPI 6.5, 5.2.25.3) */

/* Sets how this processor flushes and streams, and whether a tracer records the flushes. Must be
 * called before the first persistent store. */
static void choose_flush(void)
{
    size_t len = 0;
    const char *text = boot_option("persist", &len);

    persist_x86.kind = (uint8_t)arch_flush_kind();
    persist_x86.wide = arch_has_wide_stores();
    persist_x86.traced = text && len == 6 && memcmp(text, "traced", 6) == 0;
}

void pool_init(void)
{
    struct store_env env = { .alloc = alloc_store_memory,
                             .free = free_store_memory,
                             .core = this_core,
                             .cores = MAX_CPUS,
                             .lock = lock_store,
                             .unlock = unlock_store,
                             .lost = has_lost_read,
                             .report = report_damage };
    struct store_report why = { 0 };
    struct store_recovery done;
    struct store *opened;
    int err;

    if (boot_info.nnvdimm == 0)
        fatal(TWZ_HOST_STOP_DAMAGED, "no pool: the machine has no NVDIMM");
    if ((boot_info.nvdimm_flags[0] & NFIT_UNARMED) != 0)
        log_printf("pool: the NVDIMM is not armed: nothing written to it survives a power failure");
    pool_base = boot_info.nvdimm[0].start;
    pool_bytes = boot_info.nvdimm[0].len;
    if (arch_map_nvm(pool_base, pool_bytes) < 0)
        fatal(TWZ_HOST_STOP_PANIC, "not enough memory to map the pool");
    choose_flush();
    env.base = arch_nvm_store(pool_base);
    env.size = pool_bytes;
    err = store_open(&env, &opened, &why);
    if (err < 0)
        refuse_pool(err, &why);
    err = store_recover(opened, &done);
    if (err == -TWZ_ENOMEM)
        refuse_pool(err, &why);
    if (err == -TWZ_EVERSION)
        fatal(TWZ_HOST_STOP_DAMAGED,
              "pool of another version: superblock: read-only-compatible features %llx",
              (unsigned long long)store_unknown_features(opened));
    if (err < 0)
        fatal(TWZ_HOST_STOP_DAMAGED, "damaged pool: both copies of a word it needs are lost");
    atomic_store_explicit(&store, opened, memory_order_release);
    log_printf("pool: %llu MiB, %llu objects, %u retained, %u reclaimed, %u damaged",
               (unsigned long long)(pool_bytes >> 20), (unsigned long long)done.objects,
               done.retained, done.reclaimed, done.damaged);
}

bool pool_idle(void)
{
    struct store *st = pool_store();

    return st && store_prezero(st, PREZERO_BATCH) > 0;
}

void pool_shutdown(void)
{
    (void)pool_lock();
    atomic_store_explicit(&store, NULL, memory_order_release);
    pool_unlock();
}
