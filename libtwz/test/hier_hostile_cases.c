/* SPDX-License-Identifier: MIT */
/* Directories written by an adversary: the cases found earlier, and others worth trying. */
#include "hier_hostile.h"

static void set_peer_intent(const twzobj *dir, objid_t id)
{
    header(dir)->peer_intent = id;
    header(dir)->peer_intent_valid = 1;
}

/* An intent in `dir`, as a crash could leave it. */
static struct hier_intent *intent(const twzobj *dir)
{
    header(dir)->op = HIER_COMMITTED;
    return &header(dir)->intent;
}

/* The directory is usable again. */
static int usable(void)
{
    return hier_insert(&hostile.shared, n("added"), hostile.file, &(struct attr_values){ 0 }) == 0;
}

static int child_lives(void)
{
    struct hier_item item;
    uint64_t cursor = 0;

    return hier_iter(&hostile.d, &cursor, &item) == 1 &&
           twz_object_init_guid(&(twzobj){ 0 }, hostile.d.id, TWZ_READ) == 0;
}

static void case_peer_self(void)
{
    set_peer_intent(&hostile.shared, hostile.shared.id);
}

static void case_peer_cycle(void)
{
    set_peer_intent(&hostile.shared, hostile.d.id);
    set_peer_intent(&hostile.d, hostile.shared.id);
    header(&hostile.d)->op = HIER_DIRTY;
}

static void case_intent_cycle(void)
{
    uint64_t value;

    intent(&hostile.shared)->from = hostile.d.id;
    intent(&hostile.shared)->from_bucket = bucket_of(&hostile.d, &value);
    intent(&hostile.d)->from = hostile.shared.id;
    intent(&hostile.d)->from_bucket = bucket_of(&hostile.shared, &value);
    set_peer_intent(&hostile.shared, hostile.d.id);
    set_peer_intent(&hostile.d, hostile.shared.id);
}

static void case_own_lock(void)
{
    CHECK(twz_mutex_trylock(&header(&hostile.shared)->lock) == 0);
}

static void case_tree_lock(void)
{
    header(&hostile.shared)->parent[0] = hostile.shared.id;
    CHECK(twz_mutex_trylock(&header(&hostile.shared)->tree_lock) == 0);
}

static void case_count(void)
{
    uint64_t table, value, *bucket;

    hostile_insert_many(&hostile.shared);
    (void)bucket_of(&hostile.shared, &value);
    table = header(&hostile.shared)->table;
    bucket = (uint64_t *)(void *)(hostile.shared.start + HIER_TABLE_OFF(table) + HIER_CELL);
    for (uint32_t i = 0; i < 1u << HIER_TABLE_BITS(table); i++)
        bucket[i] = value + ((uint64_t)i << 32);
    header(&hostile.shared)->count = 0;
    header(&hostile.shared)->used = 100;
}

static void case_probe(void)
{
    case_count();
    header(&hostile.shared)->used = 0;
}

static void case_table_far(void)
{
    header(&hostile.shared)->table = HIER_TABLE(64u << 20, 5);
    header(&hostile.shared)->bump = 128u << 20;
}

/* Free chunks of which only the first page exists. */
static void case_chunk_end(void)
{
    for (uint32_t i = 1; i < HIER_LISTS; i++) {
        uint64_t off = (i + 2) * 2ull * TWZ_PAGE_SIZE - HIER_CELL;
        struct hier_entry *e = (void *)(hostile.shared.start + off);

        CHECK(twz_touch(e, HIER_CELL) == 0);
        e->chunk = HIER_CHUNK(HIER_CHUNK_FREE, i);
        header(&hostile.shared)->free[i] = (uint32_t)off;
    }
    header(&hostile.shared)->bump = 128u << 20;
}

static void case_table_huge(void)
{
    uint64_t *word = (uint64_t *)(void *)(hostile.d.start + (64u << 20));

    header(&hostile.shared)->table = HIER_TABLE(64u << 20, 26);
    header(&hostile.shared)->op = HIER_DIRTY;
    CHECK(twz_touch(word, 8) == 0);
    *word = HIER_CHUNK(HIER_CHUNK_TABLE, 1 + (1u << 14));
    header(&hostile.d)->table = HIER_TABLE(64u << 20, 17);
    header(&hostile.d)->op = HIER_DIRTY;
}

static void case_bump_far(void)
{
    header(&hostile.shared)->bump = TWZ_OBJ_DATA_TOP - 2 * HIER_CELL;
}

static void case_list_cycle(void)
{
    for (uint32_t i = 0; i < HIER_LISTS; i++) {
        uint64_t off = HIER_START + 2048 + i * 512;
        struct hier_entry *e = (void *)(hostile.shared.start + off);

        CHECK(twz_touch(e, sizeof(*e)) == 0);
        e->chunk = HIER_CHUNK(HIER_CHUNK_FREE, i == 0 ? UINT32_MAX >> 10 : 1);
        e->next = (uint32_t)off;
        header(&hostile.shared)->free[i] = (uint32_t)off;
    }
    header(&hostile.shared)->bump = TWZ_OBJ_DATA_TOP;
}

/* The rest of a long chunk lies on a page that does not exist. */
static void case_rest_far(void)
{
    uint64_t at = header(&hostile.shared)->bump;
    struct hier_entry *e = (void *)(hostile.shared.start + at);

    e->chunk = HIER_CHUNK(HIER_CHUNK_FREE, 1u << 20);
    e->next = 0;
    for (uint32_t i = 0; i < HIER_LISTS; i++)
        header(&hostile.shared)->free[i] = 0;
    header(&hostile.shared)->free[0] = (uint32_t)at;
    header(&hostile.shared)->bump = at + ((uint64_t)HIER_CELL << 20);
}

static void case_victim(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->victim = hostile.precious;
    i->victim_delete = 1;
    i = intent(&hostile.d);
    i->victim = hostile.precious;
    i->victim_names = 77;
    i->victim_attr = 1;
}

/* The record consents, but the object is another owner's. */
static void case_victim_record(void)
{
    struct hier_intent *i = intent(&hostile.shared);
    struct attr_record *record = attr_at(&hostile.attrs, 1);

    record->id = hostile.precious;
    record->names_by = hostile.shared.id;
    i->victim = hostile.precious;
    i->victim_attr = 1;
    i->victim_delete = 1;
}

static void case_record_end(void)
{
    struct attr_head *head = twz_object_base(&hostile.attrs);
    struct hier_intent *i = intent(&hostile.shared);

    head->end = UINT64_MAX;
    head->next = UINT64_MAX - 2;
    head->sweep = UINT64_MAX - 4;
    i->named = hostile.file;
    i->named_attr = UINT32_MAX;
}

/* The directory names a table that is none. */
static void case_no_table(void)
{
    header(&hostile.shared)->attrs = hostile.precious;
    header(&hostile.d)->attrs = hostile.root.id;
}

static void case_victim_dir(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->victim = hostile.empty;
    i->victim_delete = 1;
    i = intent(&hostile.d);
    i->victim = hostile.other.id;
    i->victim_delete = 1;
}

static void case_victim_full(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->victim = hostile.d.id;
    i->victim_delete = 1;
}

static void case_from(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->from = hostile.other.id;
    i->from_bucket = bucket_of(&hostile.other, &i->from_value);
}

static void case_moved(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->moved = hostile.empty;
    i->from = hostile.other.id;
    i->from_bucket = 8;
    i = intent(&hostile.d);
    i->moved = hostile.other.id;
}

/* Point a name in the adversary's directory at another object. */
static void point_name(const twzobj *dir, const char *name, objid_t id, uint32_t kind)
{
    struct hier_found found;
    struct hier_entry *e;

    CHECK(hier_lookup(dir, n(name), &found) == 0);
    e = (void *)(dir->start + found.cookie);
    e->id = id;
    e->kind = (uint8_t)kind;
}

static void case_names(void)
{
    point_name(&hostile.shared, "a", hostile.empty, HIER_DIR);
    point_name(&hostile.shared, "e", hostile.empty, HIER_DIR);
    point_name(&hostile.d, "in", hostile.empty, HIER_DIR);
    point_name(&hostile.d, "f", hostile.precious, HIER_OBJECT);
}

static void case_names_self(void)
{
    point_name(&hostile.shared, "e", hostile.shared.id, HIER_DIR);
    point_name(&hostile.d, "in", hostile.d.id, HIER_DIR);
    point_name(&hostile.d, "f", hostile.d.id, HIER_DIR);
    header(&hostile.shared)->count = header(&hostile.d)->count = 0;
}

static void case_parents(void)
{
    header(&hostile.shared)->parent[0] = hostile.d.id;
    header(&hostile.d)->parent[0] = hostile.shared.id;
}

static void case_bad_name(void)
{
    struct hier_found found;
    struct hier_entry *e;

    CHECK(hier_lookup(&hostile.shared, n("s"), &found) == 0);
    e = (void *)(hostile.shared.start + found.cookie);
    memcpy(e->bytes, "../", 3);
    e->name_len = 3;
    e->text_len = UINT16_MAX;
}

const struct hostile_case hostile_cases[] = {
    { "peer_intent names its own directory", case_peer_self, usable },
    { "a cycle of two peer_intents", case_peer_cycle, usable },
    { "a cycle of two intents", case_intent_cycle, usable },
    { "the accessor holds the lock", case_own_lock, NULL },
    { "the accessor holds the tree_lock", case_tree_lock, NULL },
    { "count 0, table full", case_count, usable },
    { "used 0, table full", case_probe, NULL },
    { "the table is on pages that do not exist", case_table_far, NULL },
    { "a huge table", case_table_huge, NULL },
    { "a chunk exists in part", case_chunk_end, NULL },
    { "bump is far away", case_bump_far, NULL },
    { "cycles in the free lists", case_list_cycle, NULL },
    { "the rest of a chunk does not exist", case_rest_far, NULL },
    { "an intent deletes an object", case_victim, NULL },
    { "a record consents to a deletion", case_victim_record, NULL },
    { "the hints of a table lead nowhere", case_record_end, usable },
    { "the attribute table is none", case_no_table, NULL },
    { "an intent deletes a directory", case_victim_dir, NULL },
    { "an intent deletes a directory with names", case_victim_full, child_lives },
    { "an intent removes a name of another directory", case_from, NULL },
    { "an intent moves a directory", case_moved, NULL },
    { "names mean objects in `other`", case_names, NULL },
    { "directories that contain themselves", case_names_self, NULL },
    { "a cycle of parents", case_parents, NULL },
    { "an invalid name", case_bad_name, NULL },
};
const size_t hostile_case_count = sizeof(hostile_cases) / sizeof(hostile_cases[0]);
