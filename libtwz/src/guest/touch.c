/* SPDX-License-Identifier: MIT */
/* plat_touch: stores to pages under a catch, so that a page that cannot be made is an error. */
#include <twz/faults.h>

#include "guest.h"

struct touched {
    const uint8_t *p;
    uint64_t len;
};

/* OR 0 into each page, atomically: a store that changes nothing, even beside other writers. */
static void touch_pages(void *arg)
{
    const struct touched *t = arg;
    uint64_t at = 0;

    while (at < t->len) {
        uintptr_t here = (uintptr_t)t->p + at;

        (void)__atomic_fetch_or((uint8_t *)here, 0, __ATOMIC_RELAXED);
        at += TWZ_PAGE_SIZE - (here & (TWZ_PAGE_SIZE - 1));
    }
}

int plat_touch(const void *p, uint64_t len)
{
    struct touched t = { p, len };
    struct twz_fault fault;

    if (!twz_try(touch_pages, &t, &fault))
        return 0;
    if (fault.reason == TWZ_REASON_NOSPC)
        return -TWZ_ENOSPC;
    if (fault.reason == TWZ_REASON_NOMEM)
        return -TWZ_ENOMEM;
    if (fault.reason == TWZ_REASON_QUOTA)
        return -TWZ_EQUOTA;
    return fault.kind == TWZ_FAULT_PERM ? -TWZ_EDENIED : -TWZ_EIO;
}
