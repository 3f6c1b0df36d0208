/* SPDX-License-Identifier: MIT */
/*
 * The random choice of slots, so that an address in one view says nothing about another view, and
 * little about the same one.
 *
 * A window is a run of TWZ_SLOT_WINDOW slots. Its entries fill one page of the view's table, and
 * its slots share one page table. A claim takes a random slot of the present window. After
 * WINDOW_USE slots a random new window follows, so half of the slots between two mappings are
 * empty, and a freed slot is rarely used again at once. Given one address, another one of the same
 * window is one slot of 128, and one of another window is one slot of 114,688.
 *
 * The numbers come from the kernel (random), a batch a time.
 */
#include "guest.h"

#define WINDOW_USE   (TWZ_SLOT_WINDOW / 2)
#define WINDOWS      ((TWZ_SLOTS - TWZ_SLOT_RANDOM) / TWZ_SLOT_WINDOW)
#define WINDOW_TRIES 16u

_Static_assert(TWZ_SLOT_RANDOM % TWZ_SLOT_WINDOW == 0, "windows start at multiples of their size");
_Static_assert(TWZ_SLOT_WINDOW * sizeof(struct twz_view_entry) == TWZ_PAGE_SIZE, "window size");

int64_t slots_random(struct slots *s, uint32_t bound)
{
    uint32_t word;

    if (s->words == 0) {
        int64_t got = twz_sys_random((uint8_t *)s->random, sizeof(s->random));

        if (got < 0)
            return got;
        s->words = (uint32_t)((uint64_t)got / sizeof(s->random[0]));
    }
    word = s->random[--s->words];
    s->random[s->words] = 0;
    return (int64_t)((uint64_t)word * bound >> 32);
}

void slots_leave_window(struct slots *s)
{
    s->window = 0;
}

static bool claim_entry(struct twz_view_entry *entry)
{
    uint64_t none = 0;

    return __atomic_compare_exchange_n(&entry->flags, &none, TWZ_VE_TAKEN, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static bool claim_run(struct twz_view_entry *entry, uint32_t count)
{
    if (!claim_entry(entry))
        return false;
    if (count == 1 || claim_entry(entry + 1))
        return true;
    __atomic_store_n(&entry->flags, 0, __ATOMIC_RELEASE);
    return false;
}

/* The first free run at or after a random slot of the window; after its end the search begins anew.
 * 0: the window has none. */
static uint32_t claim_in_window(struct slots *s, struct twz_view_entry *table, uint32_t count)
{
    uint32_t starts = TWZ_SLOT_WINDOW - count + 1;
    int64_t random = slots_random(s, starts);
    uint32_t at = (uint32_t)random;

    if (random < 0)
        return 0;
    for (uint32_t i = 0; i < starts; i++, at = at + 1 < starts ? at + 1 : 0) {
        if (claim_run(table + s->window + at, count))
            return s->window + at;
    }
    return 0;
}

/* Of a view whose random windows are full: the first free run. */
static uint32_t claim_first(struct twz_view_entry *table, uint32_t count)
{
    for (uint32_t slot = TWZ_SLOT_RANDOM; slot + count <= TWZ_SLOTS; slot++) {
        if (claim_run(table + slot, count))
            return slot;
    }
    return 0;
}

static int enter_window(struct slots *s)
{
    int64_t random = slots_random(s, WINDOWS);

    if (random < 0)
        return (int)random;
    s->window = TWZ_SLOT_RANDOM + (uint32_t)random * TWZ_SLOT_WINDOW;
    s->claimed = 0;
    return 0;
}

uint32_t slots_claim(struct slots *s, struct twz_view_entry *table, uint32_t count)
{
    for (uint32_t i = 0; i < WINDOW_TRIES; i++) {
        uint32_t slot;

        if ((s->window == 0 || s->claimed + count > WINDOW_USE) && enter_window(s) < 0)
            return 0;
        slot = claim_in_window(s, table, count);
        if (slot) {
            s->claimed += count;
            return slot;
        }
        slots_leave_window(s);
    }
    return claim_first(table, count);
}
