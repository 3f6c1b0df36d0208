/* SPDX-License-Identifier: MIT */
/* The orderly shutdown: output to the host first, then persistent objects, then the pool. */
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/object.h>
#include <kernel/pool.h>
#include <kernel/start.h>

void shutdown(bool reboot)
{
    console_drain();
    obj_flush_all();
    pool_shutdown();
    if (reboot)
        arch_reboot();
    arch_power_off();
}
