/* SPDX-License-Identifier: MIT */
/*
 * The boot above arch, in order. Each call may use what stands before it; a machine or a pool that
 * will not do ends the boot in the call that finds out.
 */
#include <kernel/arch.h>
#include <kernel/boot.h>
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
#include <kernel/trace.h>

#define MIB_FRAMES_SHIFT 8u /* frames of 4 KiB in a MiB: 256 */

/* The log's first line: which kernel, on what. */
static void announce(void)
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

/* Which boot of this pool it is, so that no two give the same IDs. */
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
    announce();
    trace_init();
    page_init();
    pool_init(); /* NVDIMM: the pool, recovered */
    kso_init();  /* root of all state objects, system facts */
    mix_boot_number();
    console_init();   /* the link to the host */
    arch_smp_start(); /* the other cores, idle until there are threads */
    kso_system_update();
    start_init(); /* the program that the pool names, ready to run */
    kernel_cpu_main();
}
