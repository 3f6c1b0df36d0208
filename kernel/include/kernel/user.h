/* SPDX-License-Identifier: MIT */
/*
 * User memory of the running thread. Each function resolves faults as if the thread had touched the
 * address itself, with its rights. The caller must hold no lock. -TWZ_EFAULT: a fault does not
 * resolve; a part may have been copied.
 */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <kernel/types.h>

MUST_CHECK int user_copy_in(void *dst, uint64_t addr, size_t len);
MUST_CHECK int user_copy_out(uint64_t addr, const void *src, size_t len);

/* One load of an aligned 4- or 8-byte word. */
MUST_CHECK int user_load(uint64_t addr, bool wide, uint64_t *value);

#endif
