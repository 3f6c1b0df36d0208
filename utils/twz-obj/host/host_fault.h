/* SPDX-License-Identifier: MIT */
/*
 * Faults on the mapped pool file. The host may have no storage for a page (SIGBUS). Or the bytes of
 * a damaged or hostile pool led to an address that must not be accessed that way (SIGSEGV). No
 * check foresees everything that such bytes can say.
 *
 * The handler writes one prepared line and ends the process, as SIGKILL does; the pool's lock ends
 * with the process. A fault outside the watched ranges is a bug of this program and gets the
 * signal's default action.
 */
#ifndef HOST_FAULT_H
#define HOST_FAULT_H

#include <stdint.h>

enum host_fault_range { HOST_FAULT_POOL, HOST_FAULT_WINDOWS, HOST_FAULT_RANGES };

/* Install the handler. */
void host_fault_catch(void);

/* Prepare the lines for the pool at `path`. Must precede host_fault_watch. */
void host_fault_prepare(const char *path);

/* Watch [base, base + size) in the place of the range of that name so far; size 0: none. */
void host_fault_watch(enum host_fault_range range, const void *base, uint64_t size);

/* End the process as a fault for lack of storage does, for a system call that says EFAULT. */
void host_storage_lost(void) __attribute__((noreturn));

#endif
