/* SPDX-License-Identifier: MIT */
/*
 * Space inside an object: claimed by raising meta.size, never freed.
 *
 * CRASH PROTOCOL. The claim is durable before the caller gets the space, so a power failure cannot
 * give it out twice. Space that was claimed and not linked stays unused.
 */
#include <twz/typed.h>

#include "platform.h"

/* Claim `size` bytes from meta.size on: their offset from the base. */
static int64_t claim_space(struct twz_meta *meta, uint64_t size, uint64_t align)
{
    uint64_t old = __atomic_load_n(&meta->size, __ATOMIC_RELAXED);
    uint64_t at;

    do {
        at = (old + align - 1) & ~(align - 1);
        if (at < old || at > TWZ_OBJ_DATA_MAX || size > TWZ_OBJ_DATA_MAX - at)
            return -TWZ_EFULL;
    } while (!__atomic_compare_exchange_n(&meta->size, &old, at + size, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    twz_persist(&meta->size, sizeof(meta->size)); /* COMMIT: the space is taken */
    return (int64_t)at;
}

/* Whether the object's size covers the address `in`. If it does not, the space would overlap data
 * in use. */
static bool is_below_size(const struct twz_meta *meta, const void *in)
{
    uint64_t off = (uintptr_t)in & (TWZ_OBJ_SIZE - 1);

    return off >= TWZ_OBJ_BASE &&
           off - TWZ_OBJ_BASE < __atomic_load_n(&meta->size, __ATOMIC_RELAXED);
}

void *twz_new_space(const void *in, uint64_t size, uint64_t align)
{
    uint8_t *start = (uint8_t *)((uintptr_t)in & ~(uintptr_t)(TWZ_OBJ_SIZE - 1));
    struct twz_meta *meta = (struct twz_meta *)(void *)(start + TWZ_OBJ_META);
    uint8_t *space;
    int64_t at;
    int err;

    if (size == 0 || align == 0 || (align & (align - 1)) || align > TWZ_PAGE_SIZE) {
        set_last_error(-TWZ_EINVAL);
        return NULL;
    }
    err = plat_touch(meta, sizeof(*meta));
    if (err >= 0 && !is_below_size(meta, in))
        err = -TWZ_EINVAL;
    at = err < 0 ? err : claim_space(meta, size, align);
    if (at >= 0) {
        space = start + TWZ_OBJ_BASE + at;
        err = plat_touch(space, size);
        at = err < 0 ? err : at;
    }
    if (at < 0) {
        set_last_error((int)at);
        return NULL;
    }
    twz_persist_zero(space, size);
    return space;
}
