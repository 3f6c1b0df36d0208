/* SPDX-License-Identifier: MIT */
/* What the guest's files share: where the fixed slots lie, and this copy's own pieces. */
#ifndef LIBTWZ_GUEST_H
#define LIBTWZ_GUEST_H

#include <twz/call.h>
#include <twz/kso.h>
#include <twz/program.h>
#include <twz/threads.h>
#include <twz/view.h>

#include "../platform.h"

static inline void *slot_start(uint32_t slot)
{
    return (void *)(uintptr_t)TWZ_SLOT_ADDR(slot);
}

static inline const struct twz_system *system_facts(void)
{
    return (const struct twz_system *)(uintptr_t)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

static inline struct twz_view *view_head(void)
{
    return (struct twz_view *)(uintptr_t)(TWZ_SLOT_ADDR(TWZ_SLOT_VIEW) + TWZ_OBJ_BASE);
}

/* The table of a view that is mapped at `start`. */
static inline struct twz_view_entry *view_table(void *start)
{
    return (struct twz_view_entry *)(void *)((uint8_t *)start + TWZ_VIEW_TABLE);
}

static inline struct twz_view_entry *view_entry(uint32_t slot)
{
    return view_table(slot_start(TWZ_SLOT_VIEW)) + slot;
}

/* The view that this program runs in. */
static inline objid_t view_id(void)
{
    return view_entry(TWZ_SLOT_VIEW)->id;
}

/* Write an entry of any view; it was not valid before. */
void entry_write(struct twz_view_entry *entry, objid_t id, uint64_t flags);

/* A volatile object of that kind whose life is bound to `tie` (0: nobody's). */
int object_volatile(uint32_t kind, objid_t tie, objid_t *id);

/* Monotonic nanoseconds to go from now on, as an absolute deadline. */
uint64_t deadline_in(uint64_t ns);

#endif
