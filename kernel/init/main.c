/* SPDX-License-Identifier: MIT */
/*
 * The boot above arch, in order. Each call may use the ones before it. A machine or a pool that
 * cannot be used ends the boot in the call that finds it (kernel/panic.h, fatal).
 */
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

/* The number of this boot of the pool, so that no two boots give the same IDs. */
static void mix_boot_number(void)
{
    uint64_t boots = kso_resume_count();

    random_mix(&boots, sizeof(boots));
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
    pool_init();  /* finds the pool, recovers it */
    clock_init(); /* time goes on where the pool's last boot was */
    kso_init();   /* the root KSO and the system information page */
    mix_boot_number();
    console_init();   /* the link to the host */
    arch_smp_start(); /* the other cores, which idle until there are threads */
    kso_system_update();
    start_init(); /* the first program, ready to run */
    kernel_cpu_main();
}
