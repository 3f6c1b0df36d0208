/* SPDX-License-Identifier: MIT */
/* Declarations shared by the files of the guest platform: the view, and the system page. */
#ifndef LIBTWZ_GUEST_H
#define LIBTWZ_GUEST_H

#include <twz/call.h>
#include <twz/kso.h>
#include <twz/program.h>
#include <twz/threads.h>
#include <twz/view.h>

#include "../platform.h"

/* The slot of a new program's first stack. The slot below it stays empty, so that a stack overflow
 * faults, however far it goes. */
#define SLOT_STACK 13u

static inline void *slot_start(uint32_t slot)
{
    return (void *)(uintptr_t)TWZ_SLOT_ADDR(slot);
}

static inline const struct twz_system *system_page(void)
{
    return (const struct twz_system *)(uintptr_t)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

/* The start of the view object of this program, which its thread's page names. */
static inline void *view_start(void)
{
    return (void *)(uintptr_t)twz_thread_repr_base()->view;
}

static inline struct twz_view *view_head(void)
{
    return (struct twz_view *)(void *)((uint8_t *)view_start() + TWZ_OBJ_BASE);
}

/* The table of the view mapped at `start`. */
static inline struct twz_view_entry *view_table(void *start)
{
    return (struct twz_view_entry *)(void *)((uint8_t *)start + TWZ_VIEW_TABLE);
}

static inline struct twz_view_entry *view_entry(uint32_t slot)
{
    return view_table(view_start()) + slot;
}

/* The view that this program runs in. */
static inline objid_t view_id(void)
{
    return view_entry((uint32_t)(twz_thread_repr_base()->view >> TWZ_OBJ_SHIFT))->id;
}

/* Fill in an entry of any view's table. It must not be valid before. */
void view_entry_write(struct twz_view_entry *entry, objid_t id, uint64_t flags);

/* Create a volatile object of that kind, tied to `tie` (0: to none). */
int guest_create_volatile(uint32_t kind, objid_t tie, objid_t *id);

/* The deadline that is `ns` nanoseconds from now, on the monotonic clock. */
uint64_t guest_deadline_in(uint64_t ns);

#endif
