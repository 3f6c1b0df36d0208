/* SPDX-License-Identifier: MIT */
/* For programs that attack the system: the raw words that a program of the system can reach. */
#ifndef ATTACK_H
#define ATTACK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <twz/call.h>
#include <twz/device.h>
#include <twz/kso.h>
#include <twz/threads.h>
#include <twz/view.h>
#include <unistd.h>

#define ATTACK_SLOT 2000u

static inline const struct twz_system *attack_system(void)
{
    return (const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

/* Maps an object in a slot of this program's view. Returns the address of its base. */
static inline char *attack_map(uint32_t slot, objid_t id, uint64_t rights)
{
    struct twz_view_entry *entry =
        (struct twz_view_entry *)(twz_thread_repr_base()->view + TWZ_VIEW_TABLE) + slot;
    const struct twz_record *view =
        (const struct twz_record *)(twz_thread_repr_base()->view + TWZ_OBJ_RECORD);

    entry->flags = 0;
    entry->id = id;
    __atomic_store_n(&entry->flags, TWZ_VE_VALID | rights, __ATOMIC_RELEASE);
    (void)twz_sys_kso_invalidate(view->id, slot, 1);
    return (char *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE);
}

#endif
