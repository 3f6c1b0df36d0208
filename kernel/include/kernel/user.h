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

/*
 * Copy a struct that may grow (S in abi/twz/syscall.def). The kernel knows `known` bytes of it, the
 * caller `size` bytes; `min` is the size of its first version. Bytes that only the kernel knows are
 * zeros. -TWZ_EINVAL: `size` is below min, above TWZ_SIZED_MAX or no multiple of 8, or a byte of
 * the caller that the kernel does not know is not zero.
 */
MUST_CHECK int user_copy_in_sized(void *dst, size_t known, uint64_t addr, uint64_t size,
                                  size_t min);
MUST_CHECK int user_copy_out_sized(uint64_t addr, uint64_t size, const void *src, size_t known,
                                   size_t min);

/* One load of an aligned 4- or 8-byte word. */
MUST_CHECK int user_load(uint64_t addr, bool wide, uint64_t *value);

#endif
