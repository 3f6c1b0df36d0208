/* SPDX-License-Identifier: MIT */
/* The boot, in order. */
#include <kernel/arch.h>
#include <kernel/boot.h>
#include <kernel/init.h>
#include <kernel/log.h>
#include <kernel/phys.h>
#include <kernel/random.h>

void kernel_main(void)
{
    phys_init();
    random_init();
    log_printf("twz %s: %llu MiB", TWZ_VERSION, (unsigned long long)phys_total_frames() >> 8);
    arch_power_off();
}
