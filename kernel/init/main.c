/* SPDX-License-Identifier: MIT */
/* The boot, in order. */
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/console.h>
#include <kernel/cpu.h>
#include <kernel/init.h>
#include <kernel/kso.h>
#include <kernel/log.h>
#include <kernel/phys.h>
#include <kernel/pool.h>
#include <kernel/random.h>
#include <kernel/start.h>

void kernel_main(void)
{
    phys_init();
    random_init();
    log_printf("twz %s: %llu MiB", TWZ_VERSION, (unsigned long long)phys_total_frames() >> 8);
    cpu_init();
    sys_init();
    pool_init();
    kso_init();
    console_init();
    arch_smp_start();
    start_init();
    kernel_cpu_main();
}
