/* SPDX-License-Identifier: MIT */
/* The orderly shutdown, when no core runs a thread any more: output to the host first, then the
 * records of threads and persistent objects, then the pool. */
#include <kernel/arch.h>
#include <kernel/console.h>
#include <kernel/object.h>
#include <kernel/pool.h>
#include <kernel/start.h>
#include <kernel/threadobj.h>

void shutdown(bool reboot)
{
    console_drain();
    threadobj_save_all();
    obj_flush_all();
    pool_shutdown();
    if (reboot)
        arch_reboot();
    arch_power_off();
}
