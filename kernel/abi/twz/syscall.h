/* SPDX-License-Identifier: MIT */
/* Call numbers, expanded from syscall.def: TWZ_SYS_obj_create and so on. */
#ifndef TWZ_SYSCALL_H
#define TWZ_SYSCALL_H

#include <twz/error.h>
#include <twz/fault.h>
#include <twz/object.h>
#include <twz/sync.h>
#include <twz/thread.h>

struct sec_revocation; /* security/format.h */

#define TWZ_SYSCALL_BASE 0x1000u

enum twz_syscall {
#define SYSCALL(number, name, ...) TWZ_SYS_##name = TWZ_SYSCALL_BASE + number,
#include <twz/syscall.def>
#undef SYSCALL
};

#define TWZ_SIZED_MAX 1024u /* bytes of a struct that may grow (S in syscall.def) */

/* A deadline of thread_sync that never comes. Others are absolute ns of the monotonic clock; 0
 * polls. */
#define TWZ_FOREVER UINT64_MAX

/* Modes of shutdown. */
#define TWZ_SHUTDOWN_OFF    0u
#define TWZ_SHUTDOWN_REBOOT 1u

#endif
