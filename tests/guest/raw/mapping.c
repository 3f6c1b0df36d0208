/* SPDX-License-Identifier: MIT */
/*
 * mapping ID...: maps each object into a slot and reads its first word, then into another slot and
 * reads it again; a line "FIRST AGAIN" says how many ticks of the clock each of the two took. Where
 * time is counted in instructions these are instructions. FIRST holds what it takes to bring the
 * object in, AGAIN the mapping alone. The first object is only touched, so that what the view needs
 * for itself is there.
 */
#include "raw.h"

static uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t touch(uint32_t slot, objid_t id)
{
    raw_map(slot, id, TWZ_READ);
    uint64_t before = ticks();
    (void)*(const volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE);
    return ticks() - before;
}

int raw_main(struct raw *raw)
{
    (void)touch(TWZ_SLOT_FIRST, raw_id(raw_arg(raw, 1)));
    for (uint32_t n = 2; n < raw->argc; n++) {
        objid_t id = raw_id(raw_arg(raw, n));

        raw_say_number(touch(TWZ_SLOT_FIRST + 2 * n, id));
        raw_say(" ");
        raw_say_number(touch(TWZ_SLOT_FIRST + 2 * n + 1, id));
        raw_say("\n");
    }
    return 0;
}
