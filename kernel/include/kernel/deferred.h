/* SPDX-License-Identifier: MIT */
/*
 * Work that is too long for one critical section and that no caller waits for inside the kernel:
 * freeing an object, an address space, the children of a deleted object. The struct lies in what it
 * works on, so it can be queued without an allocation. kernel/defer.h has the functions.
 */
#ifndef KERNEL_DEFERRED_H
#define KERNEL_DEFERRED_H

#include <lib/list.h>

/* The instructions that one step may take, by its own estimate. */
#define DEFERRED_STEP 16000u

struct deferred {
    struct list_node link;
    /* Does one batch. Returns true if the work is not complete. After false, the function may have
     * freed or queued the struct. The caller must hold no lock. */
    bool (*step)(struct deferred *work);
};

#endif
