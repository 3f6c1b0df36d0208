/* SPDX-License-Identifier: MIT */
/*
 * The kernel's start above arch, in the order of init/main.c:
 *
 *   cpu_init, phys_init, kmem, log ...     then the calls below
 *   sys_init     callbacks between layers, objects, security, trace options
 *   pool_init    NVDIMM -> pool, recovery; ends the machine if the pool is unfit
 *   kso_init     root and system facts
 *   dev ...      devices, the console among them
 *   arch_smp_start
 *   start_init   the first program's view and thread, ready to run
 *   kernel_cpu_main
 */
#ifndef KERNEL_START_H
#define KERNEL_START_H

#include <kernel/types.h>

void sys_init(void);
void start_init(void);

/* Orderly end: persistent objects flushed, then power off or reboot. */
NORETURN void shutdown(bool reboot);

#endif
