/* SPDX-License-Identifier: MIT */
/* What was met, or thought of, in directories written by an enemy. */
#include "hier_hostile.h"

static void sees(const twzobj *dir, objid_t id)
{
    header(dir)->peer_intent = id;
    header(dir)->peer_intent_valid = 1;
}

/* An intent in `dir`, as if the machine had died. */
static struct hier_intent *intent(const twzobj *dir)
{
    header(dir)->op = HIER_COMMITTED;
    return &header(dir)->intent;
}

/* What can be mended is. */
static int usable(void)
{
    return hier_insert(&hostile.shared, n("added"), hostile.file) == 0;
}

static int child_lives(void)
{
    struct hier_item item;
    uint64_t cursor = 0;

    return hier_iter(&hostile.d, &cursor, &item) == 1 &&
           twz_object_init_guid(&(twzobj){ 0 }, hostile.d.id, TWZ_READ) == 0;
}

static void case_see_self(void)
{
    sees(&hostile.shared, hostile.shared.id);
}

static void case_see_circle(void)
{
    sees(&hostile.shared, hostile.d.id);
    sees(&hostile.d, hostile.shared.id);
    header(&hostile.d)->op = HIER_DIRTY;
}

static void case_forward_circle(void)
{
    uint64_t value;

    intent(&hostile.shared)->from = hostile.d.id;
    intent(&hostile.shared)->from_bucket = slot_of(&hostile.d, &value);
    intent(&hostile.d)->from = hostile.shared.id;
    intent(&hostile.d)->from_bucket = slot_of(&hostile.shared, &value);
    sees(&hostile.shared, hostile.d.id);
    sees(&hostile.d, hostile.shared.id);
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
    uint64_t table, value, *slot;

    hostile_insert_many(&hostile.shared);
    (void)slot_of(&hostile.shared, &value);
    table = header(&hostile.shared)->table;
    slot = (uint64_t *)(void *)(hostile.shared.start + HIER_TABLE_OFF(table) + HIER_CELL);
    for (uint32_t i = 0; i < 1u << HIER_TABLE_BITS(table); i++)
        slot[i] = value + ((uint64_t)i << 32);
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

/* Free chunks of which the first page is there. */
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

static void case_list_circle(void)
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

/* The rest of a long chunk lies where there is no page. */
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
    i->victim_links = HIER_LINKS_DELETE;
    i = intent(&hostile.d);
    i->victim = hostile.precious;
    i->victim_links = 77;
}

static void case_victim_dir(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->victim = hostile.empty;
    i->victim_links = HIER_LINKS_DELETE;
    i = intent(&hostile.d);
    i->victim = hostile.other.id;
    i->victim_links = HIER_LINKS_DELETE;
}

static void case_victim_full(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->victim = hostile.d.id;
    i->victim_links = HIER_LINKS_DELETE;
}

static void case_from(void)
{
    struct hier_intent *i = intent(&hostile.shared);

    i->from = hostile.other.id;
    i->from_bucket = slot_of(&hostile.other, &i->from_value);
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

/* A name in his that means what is the others'. */
static void name_means(const twzobj *dir, const char *name, objid_t id, uint32_t kind)
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
    name_means(&hostile.shared, "a", hostile.empty, HIER_DIR);
    name_means(&hostile.shared, "e", hostile.empty, HIER_DIR);
    name_means(&hostile.d, "in", hostile.empty, HIER_DIR);
    name_means(&hostile.d, "f", hostile.precious, HIER_OBJECT);
}

static void case_names_self(void)
{
    name_means(&hostile.shared, "e", hostile.shared.id, HIER_DIR);
    name_means(&hostile.d, "in", hostile.d.id, HIER_DIR);
    name_means(&hostile.d, "f", hostile.d.id, HIER_DIR);
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
    { "see names itself", case_see_self, usable },
    { "two that see each other", case_see_circle, usable },
    { "two intents of each other", case_forward_circle, usable },
    { "the visitor has the lock", case_own_lock, NULL },
    { "the visitor has the tree's lock", case_tree_lock, NULL },
    { "count 0, table full", case_count, usable },
    { "used 0, table full", case_probe, NULL },
    { "the table is not there", case_table_far, NULL },
    { "a huge table", case_table_huge, NULL },
    { "a chunk is there in part", case_chunk_end, NULL },
    { "the end is far", case_bump_far, NULL },
    { "free lists go round", case_list_circle, NULL },
    { "the rest is not there", case_rest_far, NULL },
    { "an intent deletes", case_victim, NULL },
    { "an intent deletes a directory", case_victim_dir, NULL },
    { "an intent deletes a full directory", case_victim_full, child_lives },
    { "an intent removes a name", case_from, NULL },
    { "an intent moves", case_moved, NULL },
    { "names mean the others'", case_names, NULL },
    { "directories in themselves", case_names_self, NULL },
    { "parents go round", case_parents, NULL },
    { "a name that is none", case_bad_name, NULL },
};
const size_t hostile_case_count = sizeof(hostile_cases) / sizeof(hostile_cases[0]);
