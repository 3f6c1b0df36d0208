/* SPDX-License-Identifier: MIT */
/*
 * The orderly shutdown, when no core runs a thread any more: output to the host first, then the
 * records of threads and persistent objects, then the pool.
 *
 * It is not in batches, and interrupts stay off. Every other core has halted for good, no thread
 * will run again, and no timer or device is waited for. So it delays no kill and no priority, and a
 * batch could only let a power failure come between two of them, as it can anyway.
 */
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
