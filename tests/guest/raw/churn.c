/* SPDX-License-Identifier: MIT */
/*
 * churn ANCHOR ROUNDS: work for the store, with an invariant that holds at each instant. The anchor
 * object, initially zero, holds a table with one entry (struct entry) for each round:
 *
 *   step                                                  after a power failure
 *   1 create a provisional object, whose witness is       no object
 *     the entry's name word
 *   2 write pages of it and make them durable             no object
 *   3 store the name word, the commit                     the object with these pages
 *   4 copy a page of the object before into it, write     the object with these pages
 *     to it, and in every second round discard it
 *   5 in every third round clear the name word of two     that object may be gone
 *     rounds before, then delete that object
 *
 * Prints "N rounds" at the end. churn ANCHOR verify checks the object of every entry and prints
 * their number; status 1 with a message when one is wrong. churn ID stat prints the number of pages
 * that the kernel reports for the object.
 */
#include "raw.h"

#define PAGES     5u
#define FIRST     1u
#define ENTRY_MAX 500u

struct entry {
    uint64_t name[2]; /* lo commits the ID; 0: none */
    uint64_t round;
    uint64_t pad[5];
};

#define SLOT_ANCHOR (RAW_SLOT_FIRST)
#define SLOT_WORK   (RAW_SLOT_FIRST + 1)
#define ENTRIES     ((struct entry *)(TWZ_SLOT_ADDR(SLOT_ANCHOR) + TWZ_OBJ_BASE))

/* The word that fills page `page` of the object of a round. */
static uint64_t pattern_word(uint64_t round, uint64_t page)
{
    return (round + 1) * 0x9e3779b97f4a7c15ull ^ page * 0x100000001b3ull;
}

static uint64_t *work_page(uint64_t page)
{
    return (uint64_t *)(TWZ_SLOT_ADDR(SLOT_WORK) + page * TWZ_PAGE_SIZE);
}

static objid_t create_named_by(objid_t anchor, uint64_t round)
{
    struct twz_create create = {
        .flags = TWZ_OBJ_PERSIST | TWZ_OBJ_PROVISIONAL,
        .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL | TWZ_USE,
        .witness = anchor,
        .witness_off = TWZ_OBJ_BASE + round * sizeof(struct entry),
    };
    objid_t id;

    (void)raw_must(
        raw_call(TWZ_SYS_obj_create, (uint64_t)&create, sizeof(create), (uint64_t)&id, 0, 0, 0),
        "obj_create");
    return id;
}

static void fill_object(uint64_t round)
{
    for (uint64_t page = FIRST; page < FIRST + PAGES; page++) {
        uint64_t *at = work_page(page * 3);

        for (unsigned i = 0; i < TWZ_PAGE_SIZE / 8; i += 64)
            at[i] = pattern_word(round, page);
        raw_persist(at, TWZ_PAGE_SIZE);
    }
}

static void name_object(struct entry *entry, uint64_t round, objid_t id)
{
    entry->name[1] = id.hi;
    entry->round = round;
    raw_persist(entry, sizeof(*entry));
    __atomic_store_n(&entry->name[0], id.lo, __ATOMIC_RELEASE);
    raw_persist(&entry->name[0], 8);
    (void)raw_must(raw_call(TWZ_SYS_obj_ctl, id.lo, id.hi, TWZ_CTL_PERMANENT, 0, 0, 0), "obj_ctl");
}

static void delete_named(struct entry *entry)
{
    objid_t id = { .lo = entry->name[0], .hi = entry->name[1] };

    if (!id.lo)
        return;
    __atomic_store_n(&entry->name[0], 0, __ATOMIC_RELEASE);
    raw_persist(&entry->name[0], 8);
    (void)raw_must(raw_call(TWZ_SYS_obj_delete, id.lo, id.hi, TWZ_DELETE_DEFERRED, 0, 0, 0),
                   "obj_delete");
}

/* Not covered by the invariant: copies a page of the object before, which is shared until it is
 * written; discards it every second time. */
static void copy_from_previous(objid_t id, uint64_t round)
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
    (void)raw_must(raw_call(TWZ_SYS_obj_copy, (uint64_t)&copy, sizeof(copy), 1, 0, 0, 0),
                   "obj_copy");
    *work_page(FIRST * 3 + 1) = round;
    if (round % 2)
        (void)raw_must(
            raw_call(TWZ_SYS_obj_range, id.lo, id.hi, TWZ_RANGE_DISCARD, at, TWZ_PAGE_SIZE, 0),
            "obj_range");
}

static int run_rounds(objid_t anchor, uint64_t rounds)
{
    for (uint64_t round = 0; round < rounds && round < ENTRY_MAX; round++) {
        objid_t id;

        if (ENTRIES[round].name[0])
            continue;
        id = create_named_by(anchor, round);
        raw_map(SLOT_WORK, id, TWZ_READ | TWZ_WRITE);
        fill_object(round);
        name_object(&ENTRIES[round], round, id);
        copy_from_previous(id, round);
        if (round % 3 == 2)
            delete_named(&ENTRIES[round - 2]);
    }
    raw_say_number(rounds);
    raw_say(" rounds\n");
    return 0;
}

static bool report_broken(uint64_t round, const char *what)
{
    raw_say("round ");
    raw_say_number(round);
    raw_say(": ");
    raw_say(what);
    raw_say("\n");
    return false;
}

/* The entry is consistent, and its object exists with the contents of its round. */
static bool verify_entry(uint64_t round)
{
    const struct entry *entry = &ENTRIES[round];
    objid_t id = { .lo = entry->name[0], .hi = entry->name[1] };
    struct twz_stat stat;

    if (entry->round != round)
        return report_broken(round, "the entry has another round");
    if (raw_call(TWZ_SYS_obj_stat, id.lo, id.hi, (uint64_t)&stat, sizeof(stat), 0, 0) < 0)
        return report_broken(round, "named, but the object does not exist");
    raw_map(SLOT_WORK, id, TWZ_READ | TWZ_WRITE);
    for (uint64_t page = FIRST; page < FIRST + PAGES; page++) {
        for (unsigned i = 0; i < TWZ_PAGE_SIZE / 8; i += 64) {
            if (work_page(page * 3)[i] != pattern_word(round, page))
                return report_broken(round, "named, but its contents are wrong");
        }
    }
    return true;
}

static bool verify_all(void)
{
    uint64_t found = 0;

    for (uint64_t round = 0; round < ENTRY_MAX; round++) {
        if (!ENTRIES[round].name[0])
            continue;
        if (!verify_entry(round))
            return false;
        found++;
    }
    raw_say_number(found);
    raw_say(" objects\n");
    return true;
}

static void change_page(objid_t id, unsigned op, uint64_t page)
{
    raw_must(raw_call(TWZ_SYS_obj_range, id.lo, id.hi, op, page * TWZ_PAGE_SIZE, TWZ_PAGE_SIZE, 0),
             "obj_range");
}

/* Leaves map nodes without pages all over the object, so that obj_stat has much to scan. */
static void spread_map_nodes(objid_t id)
{
    for (uint64_t page = 600; page < TWZ_PAGE_META - 600; page += 512) {
        change_page(id, TWZ_RANGE_POPULATE, page);
        change_page(id, TWZ_RANGE_DISCARD, page);
    }
}

static int print_pages(objid_t id)
{
    struct twz_stat stat;

    spread_map_nodes(id);
    raw_must(raw_call(TWZ_SYS_obj_stat, id.lo, id.hi, (uint64_t)&stat, sizeof(stat), 0, 0),
             "obj_stat");
    raw_say_number(stat.pages);
    raw_say(" pages\n");
    return 0;
}

int raw_main(struct raw *raw)
{
    objid_t anchor = raw_id(raw_arg(raw, 1));

    if (raw_arg(raw, 2)[0] == 's')
        return print_pages(anchor);
    raw_map(SLOT_ANCHOR, anchor, TWZ_READ | TWZ_WRITE);
    if (raw_arg(raw, 2)[0] == 'v')
        return verify_all() ? 0 : 1;
    return run_rounds(anchor, raw_number(raw_arg(raw, 2)));
}
