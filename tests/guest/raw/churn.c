/* SPDX-License-Identifier: MIT */
/*
 * churn ANCHOR ROUNDS: work for the store, with promises that hold at each instant. The anchor
 * object, of zeros at first, holds a table of entries (struct entry), one a round. In each round
 *
 *   - an object is made, provisional: its entry's name word keeps it;
 *   - pages of it are written and made durable;
 *   - the name word is stored: this commits the object together with its contents;
 *   - a page of the object before is copied into it, written to, and discarded again in turn;
 *   - each third round deletes the object of two rounds before, its name word first.
 *
 * Says "N rounds" at the end. churn ANCHOR verify: checks what every entry promises, says how many
 * objects it found; status 1 with a message when a promise is broken. churn ID stat: how many pages
 * the kernel says that the object has.
 */
#include "raw.h"

#define PAGES     5u
#define FIRST     1u
#define ENTRY_MAX 500u

struct entry {
    uint64_t name[2]; /* lo commits: 0 nothing, else the ID */
    uint64_t round;
    uint64_t pad[5];
};

#define SLOT_ANCHOR (TWZ_SLOT_FIRST)
#define SLOT_WORK   (TWZ_SLOT_FIRST + 1)
#define ENTRIES     ((struct entry *)(TWZ_SLOT_ADDR(SLOT_ANCHOR) + TWZ_OBJ_BASE))

/* The word that fills page `page` of the object of a round. */
static uint64_t word(uint64_t round, uint64_t page)
{
    return (round + 1) * 0x9e3779b97f4a7c15ull ^ page * 0x100000001b3ull;
}

static uint64_t *work_page(uint64_t page)
{
    return (uint64_t *)(TWZ_SLOT_ADDR(SLOT_WORK) + page * TWZ_PAGE_SIZE);
}

static objid_t make(objid_t anchor, uint64_t round)
{
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL | TWZ_USE,
        .witness = anchor,
        .witness_off = TWZ_OBJ_BASE + round * sizeof(struct entry),
    };
    objid_t id;

    (void)raw_must(raw_call(TWZ_SYS_obj_create, (uint64_t)&create, (uint64_t)&id, 0, 0, 0, 0),
                   "obj_create");
    return id;
}

static void fill(uint64_t round)
{
    for (uint64_t page = FIRST; page < FIRST + PAGES; page++) {
        uint64_t *at = work_page(page * 3);

        for (unsigned i = 0; i < TWZ_PAGE_SIZE / 8; i += 64)
            at[i] = word(round, page);
        raw_persist(at, TWZ_PAGE_SIZE);
    }
}

static void name(struct entry *entry, uint64_t round, objid_t id)
{
    entry->name[1] = id.hi;
    entry->round = round;
    raw_persist(entry, sizeof(*entry));
    __atomic_store_n(&entry->name[0], id.lo, __ATOMIC_RELEASE);
    raw_persist(&entry->name[0], 8);
    (void)raw_must(raw_call(TWZ_SYS_obj_ctl, id.lo, id.hi, TWZ_CTL_PERMANENT, 0, 0, 0), "obj_ctl");
}

static void forget(struct entry *entry)
{
    objid_t id = { .lo = entry->name[0], .hi = entry->name[1] };

    if (!id.lo)
        return;
    __atomic_store_n(&entry->name[0], 0, __ATOMIC_RELEASE);
    raw_persist(&entry->name[0], 8);
    (void)raw_must(raw_call(TWZ_SYS_obj_delete, id.lo, id.hi, TWZ_DELETE_DEFERRED, 0, 0, 0),
                   "obj_delete");
}

/* Beyond what the promise covers: a page of the object before is copied in, shared until it is
 * written; each second time it goes again. */
static void shuffle(objid_t id, uint64_t round)
{
    const struct entry *before = &ENTRIES[round ? round - 1 : 0];
    uint64_t at = (FIRST * 3 + 1) * TWZ_PAGE_SIZE;
    struct twz_copy copy = { .src = { .lo = before->name[0], .hi = before->name[1] },
                             .dst = id,
                             .src_off = FIRST * 3 * TWZ_PAGE_SIZE,
                             .dst_off = at,
                             .len = TWZ_PAGE_SIZE };

    if (!round || !copy.src.lo)
        return;
    (void)raw_must(raw_call(TWZ_SYS_obj_copy, (uint64_t)&copy, 1, 0, 0, 0, 0), "obj_copy");
    *work_page(FIRST * 3 + 1) = round;
    if (round % 2)
        (void)raw_must(
            raw_call(TWZ_SYS_obj_range, id.lo, id.hi, TWZ_RANGE_DISCARD, at, TWZ_PAGE_SIZE, 0),
            "obj_range");
}

static int churn(objid_t anchor, uint64_t rounds)
{
    for (uint64_t round = 0; round < rounds && round < ENTRY_MAX; round++) {
        if (ENTRIES[round].name[0])
            continue;
        objid_t id = make(anchor, round);
        raw_map(SLOT_WORK, id, TWZ_READ | TWZ_WRITE);
        fill(round);
        name(&ENTRIES[round], round, id);
        shuffle(id, round);
        if (round % 3 == 2)
            forget(&ENTRIES[round - 2]);
    }
    raw_say_number(rounds);
    raw_say(" rounds\n");
    return 0;
}

static int broken(uint64_t round, const char *what)
{
    raw_say("round ");
    raw_say_number(round);
    raw_say(": ");
    raw_say(what);
    raw_say("\n");
    return 1;
}

static int verify_entry(uint64_t round)
{
    const struct entry *entry = &ENTRIES[round];
    objid_t id = { .lo = entry->name[0], .hi = entry->name[1] };
    struct twz_stat stat;

    if (entry->round != round)
        return broken(round, "the entry's round is another");
    if (raw_call(TWZ_SYS_obj_stat, id.lo, id.hi, (uint64_t)&stat, 0, 0, 0) < 0)
        return broken(round, "named, but there is no object");
    raw_map(SLOT_WORK, id, TWZ_READ | TWZ_WRITE);
    for (uint64_t page = FIRST; page < FIRST + PAGES; page++) {
        for (unsigned i = 0; i < TWZ_PAGE_SIZE / 8; i += 64) {
            if (work_page(page * 3)[i] != word(round, page))
                return broken(round, "named, but its contents are not there");
        }
    }
    return 0;
}

static int verify(void)
{
    uint64_t found = 0;

    for (uint64_t round = 0; round < ENTRY_MAX; round++) {
        if (!ENTRIES[round].name[0])
            continue;
        if (verify_entry(round))
            return 1;
        found++;
    }
    raw_say_number(found);
    raw_say(" objects\n");
    return 0;
}

static void range(objid_t id, unsigned op, uint64_t page)
{
    raw_must(raw_call(TWZ_SYS_obj_range, id.lo, id.hi, op, page * TWZ_PAGE_SIZE, TWZ_PAGE_SIZE, 0),
             "obj_range");
}

/* Nodes of the map all over the object, without a page in them: much to look at. */
static void spread(objid_t id)
{
    for (uint64_t page = 600; page < TWZ_PAGE_META - 600; page += 512) {
        range(id, TWZ_RANGE_POPULATE, page);
        range(id, TWZ_RANGE_DISCARD, page);
    }
}

static int stat(objid_t id)
{
    struct twz_stat stat;

    spread(id);
    raw_must(raw_call(TWZ_SYS_obj_stat, id.lo, id.hi, (uint64_t)&stat, 0, 0, 0), "obj_stat");
    raw_say_number(stat.pages);
    raw_say(" pages\n");
    return 0;
}

int raw_main(struct raw *raw)
{
    objid_t anchor = raw_id(raw_arg(raw, 1));

    if (raw_arg(raw, 2)[0] == 's')
        return stat(anchor);
    raw_map(SLOT_ANCHOR, anchor, TWZ_READ | TWZ_WRITE);
    if (raw_arg(raw, 2)[0] == 'v')
        return verify();
    return churn(anchor, raw_number(raw_arg(raw, 2)));
}
