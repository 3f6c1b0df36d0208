/* SPDX-License-Identifier: MIT */
/* Words of user memory: their objects, their values. */
#include <kernel/thread.h>
#include <kernel/user.h>
#include <kernel/view.h>
#include "word.h"

int word_object_touch(uint64_t addr, unsigned need, struct object **obj)
{
    struct thread *t = current();

    t->touches++;
    return view_lookup(t->addrspace, addr, need, obj);
}

void word_put(const void *object)
{
    obj_put((struct object *)(uintptr_t)object);
}

int word_differs(uint64_t addr, bool wide, uint64_t value)
{
    uint64_t word;
    int err;

    value = wide ? value : (uint32_t)value;
    if (addr < ARCH_USER_LIMIT &&
        (wide ? arch_user_load64(addr, &word) : arch_user_load32(addr, &word)))
        return word != value;
    err = user_load(addr, wide, &word);
    return err < 0 ? err : word != value;
}
