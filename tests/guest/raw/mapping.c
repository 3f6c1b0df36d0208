/* SPDX-License-Identifier: MIT */
/*
 * mapping ID...: maps each object in a slot and reads its first word, then does the same in another
 * slot. It prints the ticks of both reads, "FIRST AGAIN", in a line; on a machine that counts time
 * in instructions these are instructions. FIRST includes loading the object, AGAIN is the mapping
 * alone. The first object is only read, so that the view has its own tables.
 */
#include "raw.h"

static uint64_t read_ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t map_and_read(uint32_t slot, objid_t id)
{
    uint64_t before;

    raw_map(slot, id, TWZ_READ);
    before = read_ticks();
    (void)*(const volatile uint64_t *)(TWZ_SLOT_ADDR(slot) + TWZ_OBJ_BASE);
    return read_ticks() - before;
}

int raw_main(struct raw *raw)
{
    (void)map_and_read(RAW_SLOT_FIRST, raw_id(raw_arg(raw, 1)));
    for (uint32_t n = 2; n < raw->argc; n++) {
        objid_t id = raw_id(raw_arg(raw, n));

        raw_say_number(map_and_read(RAW_SLOT_FIRST + 2 * n, id));
        raw_say(" ");
        raw_say_number(map_and_read(RAW_SLOT_FIRST + 2 * n + 1, id));
        raw_say("\n");
    }
    return 0;
}
