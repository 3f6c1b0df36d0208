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

/* Random slots of one view (slots.c). It starts as zeros. The caller must guard it. */
struct slots {
    uint32_t window;  /* the first slot of the present window; 0: none yet */
    uint32_t claimed; /* slots that were claimed in it */
    uint32_t words;   /* the last `words` of random[] are unused */
    uint32_t random[14];
};

/* Returns a random number below `bound`, or the error of a kernel that gives none. */
int64_t slots_random(struct slots *s, uint32_t bound);

/* Let the next claim begin another window. */
void slots_leave_window(struct slots *s);

/* Mark `count` consecutive slots of the table, one or two, as TWZ_VE_TAKEN, and return the first.
 * 0: the view has no such run, or the kernel gives no random numbers. */
uint32_t slots_claim(struct slots *s, struct twz_view_entry *table, uint32_t count);

/* Claim a free slot of the view, for good or until view_free_slot, which unmaps it. 0: there is
 * none. */
uint32_t view_claim_slot(void);
void view_free_slot(uint32_t slot);

/* Create a volatile object of that kind, tied to `tie` (0: to none), that an account pays for (0:
 * the caller's). If `holder` is not 0, the object is that context's, and the caller's has the
 * rights to fill it in until guest_keep. */
int guest_create_volatile(uint32_t kind, objid_t tie, objid_t holder, objid_t account, objid_t *id);

/* twz_program_load, with the account that pays for the data (0: the caller's). */
int guest_load_program(const twzobj *view, objid_t holder, objid_t account, objid_t program,
                       uint32_t text_slot, struct twz_loaded *out);

/* The rights of a program on what it makes for itself. */
#define GUEST_RIGHTS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)

/* Leave the caller's context no more than `rights` on an object that it has made. */
int guest_keep(objid_t id, uint32_t rights);

/* The security context of this program; 0: the first one. */
static inline objid_t guest_context(void)
{
    return twz_thread_repr_base()->context;
}

/* The deadline that is `ns` nanoseconds from now, on the monotonic clock. */
uint64_t guest_deadline_in(uint64_t ns);

#endif
