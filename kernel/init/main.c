/* SPDX-License-Identifier: MIT */
/*
 * The boot above arch, in order. Each call may use the ones before it. A machine or a pool that
 * cannot be used ends the boot in the call that finds it (kernel/panic.h, fatal).
 */
#include <kernel/accountobj.h>
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/clock.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/init.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/random.h>
#include <kernel/start.h>
#include <kernel/sync.h>
#include <kernel/trace.h>
#include <lib/string.h>

#define MIB_FRAMES_SHIFT 8u /* frames of 4 KiB in a MiB: 256 */

/* The first line of the log: the kernel and its machine. */
static void log_version(void)
{
    static const char digits[] = "0123456789abcdef";
    char hash[2 * sizeof(boot_info.kernel_hash) + 1];
    uint64_t nvdimm = 0;

    for (size_t i = 0; i < sizeof(boot_info.kernel_hash); i++) {
        hash[2 * i] = digits[boot_info.kernel_hash[i] >> 4];
        hash[2 * i + 1] = digits[boot_info.kernel_hash[i] & 15];
    }
    hash[sizeof(hash) - 1] = 0;
    for (unsigned i = 0; i < boot_info.nnvdimm; i++)
        nvdimm += boot_info.nvdimm[i].len;
    log_printf("twz " TWZ_VERSION ": %u cores, %llu MiB memory, %llu MiB NVDIMM, kernel %s",
               boot_info.ncpus, (unsigned long long)(phys_total_frames() >> MIB_FRAMES_SHIFT),
               (unsigned long long)(nvdimm >> 20), hash);
}

/*
 * Mixes in the words that distinguish this boot from all others, so that no two give the same IDs
 * and addresses, even on a machine whose random source is missing or repeats itself. The UUID tells
 * pools apart. The monotonic counters tell the boots of a pool apart: the one of boots is durable
 * by now. The wall clock does so for a pool file that was restored to an earlier state.
 */
static void mix_boot(void)
{
    struct {
        uint8_t uuid[16];
        uint64_t counter[STORE_MONO_COUNT];
        struct arch_clock clock;
    } boot = { 0 };
    struct store *store = pool_lock();

    if (store) {
        memcpy(boot.uuid, store_super_get(store)->uuid, sizeof(boot.uuid));
        for (uint32_t i = 0; i < STORE_MONO_COUNT; i++)
            boot.counter[i] = store_mono_get(store, i);
    }
    pool_unlock();
    arch_clock_params(&boot.clock);
    random_mix(&boot, sizeof(boot));
}

void kernel_main(void)
{
    phys_init();
    cpu_init();
    random_init();
    sync_init();
    log_version();
    trace_init();
    page_init();
    pool_init();       /* finds the pool, recovers it */
    accountobj_init(); /* counts the uses of the pool */
    clock_init();      /* time goes on where the pool's last boot was */
    kso_init();        /* the root KSO and the system information page */
    mix_boot();
    console_init();   /* the link to the host */
    arch_smp_start(); /* the other cores, which idle until there are threads */
    kso_system_update();
    start_init(); /* the first program, ready to run */
    kernel_cpu_main();
}
