/* SPDX-License-Identifier: MIT */
/* Words that the calling thread sleeps on or wakes: shared by sys_sync.c and sys_wait.c. */
#ifndef SYS_WORD_H
#define SYS_WORD_H

#include <kernel/cpu.h>
#include <kernel/object.h>
#include <kernel/thread.h>
#include <kernel/view.h>

/* Faults that one stay in the kernel resolves for a call; each may bring an object into memory. */
#define WORD_TOUCHES 2u

/* word_object for an address whose mapping is not there yet, or lacks the right. */
MUST_CHECK int word_object_touch(uint64_t addr, unsigned need, struct object **obj);

/* Returns in *obj a reference on the object at addr, if the mapping has the right `need`. *rights:
 * all rights that are known of the mapping. */
MUST_CHECK static inline int word_object(uint64_t addr, unsigned need, struct object **obj,
                                         unsigned *rights)
{
    struct object *found = view_find(current()->addrspace, addr, rights);

    *obj = found;
    if (found && (*rights & need) == need)
        return 0;
    if (found)
        obj_put(found);
    *rights = need;
    return word_object_touch(addr, need, obj);
}

/* Drops the reference of a key; for kernel/sync.h. */
void word_put(const void *object);

/* 1: the word differs from the value, whose low half counts if the word has 32 bits. */
MUST_CHECK int word_differs(uint64_t addr, bool wide, uint64_t value);

static inline bool word_is_aligned(uint64_t addr, bool wide)
{
    return (addr & (wide ? 7u : 3u)) == 0;
}

#endif
