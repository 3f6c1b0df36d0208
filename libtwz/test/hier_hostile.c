/* SPDX-License-Identifier: MIT */
/*
 * Directories written by an adversary. It may store anything into `shared` and `d`. It cannot write
 * `other` and the objects in it, but it knows their IDs. Each operation of an accessor must end
 * within STEPS_MAX steps, stay inside the object, and change nothing in `other`. The cases found
 * earlier are tried first, then random ones.
 *
 * Built with the address sanitizer. A page that was not touched is read-only, so a store without a
 * twz_touch crashes. Steps are the edges that the compiler's coverage counts.
 *
 * Usage: hier-hostile [SEED [ROUNDS]]. A failure prints the arguments that repeat it.
 */
#include <sanitizer/common_interface_defs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <twz/persist.h>

#include "hier_hostile.h"
#include "host_inside.h"

#define STEPS_MAX (4ull << 30)
#define ROUNDS    10000u

static uint64_t steps;
static uint64_t rnd_state;
static unsigned long long round_seed;
static const char *current = "nothing";

struct hostile_world hostile;
static const struct attr_values plain;

/* --- functions that the library calls --------------------------------------------------------- */

static void report(void)
{
    fprintf(stderr, "failed: %s; again with: hier-hostile %llu 1\n", current, round_seed);
}

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    if (++steps < STEPS_MAX)
        return;
    fprintf(stderr, "too many steps\n");
    report();
    _exit(1);
}

void host_forget(void) {}

void twz_persist_flush(const void *p, size_t len)
{
    (void)p;
    (void)len;
}

void twz_persist_fence(void) {}

void twz_persist(const void *p, size_t len)
{
    (void)p;
    (void)len;
}

void twz_persist_store64(uint64_t *word, uint64_t value)
{
    CHECK(((uintptr_t)word & 7) == 0);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

void twz_persist_commit64(uint64_t *word, uint64_t value)
{
    twz_persist_store64(word, value);
}

void twz_persist_copy(void *dst, const void *src, size_t len)
{
    memmove(dst, src, len);
}

void twz_persist_zero(void *dst, size_t len)
{
    memset(dst, 0, len);
}

/* --- the world -------------------------------------------------------------------------------- */

static uint64_t rnd(void)
{
    rnd_state ^= rnd_state << 13;
    rnd_state ^= rnd_state >> 7;
    rnd_state ^= rnd_state << 17;
    return rnd_state;
}

static void start_random(uint64_t seed)
{
    round_seed = seed;
    rnd_state = (seed + 1) * 0x9e3779b97f4a7c15ull | 1;
    for (uint32_t i = 0; i < 8; i++)
        (void)rnd();
}

static twzobj create_in(const twzobj *in, const char *name, uint32_t kind)
{
    struct hier_create create = { .kind = kind };
    twzobj obj;

    CHECK(hier_create(in, n(name), &create, &obj) == 0);
    return obj;
}

static void make_world(void)
{
    host_reset();
    CHECK(twz_object_new(&hostile.root, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(twz_object_new(&hostile.attrs, NULL, NULL, TWZ_OC_PERSIST) == 0);
    CHECK(hier_init_volume(&hostile.root, &hostile.attrs) == 0);
    host_root_set(hostile.root.id);
    hostile.other = create_in(&hostile.root, "other", HIER_DIR);
    hostile.mine = create_in(&hostile.root, "mine", HIER_DIR);
    hostile.shared = create_in(&hostile.root, "shared", HIER_DIR);
    hostile.d = create_in(&hostile.shared, "d", HIER_DIR);
    hostile.precious = create_in(&hostile.other, "precious", HIER_OBJECT).id;
    hostile.empty = create_in(&hostile.other, "empty", HIER_DIR).id;
    hostile.file = create_in(&hostile.mine, "f", HIER_OBJECT).id;
    host_owner_set(hostile.other.id, hostile.mine.id); /* any other owner */
    host_owner_set(hostile.precious, hostile.mine.id);
    host_owner_set(hostile.empty, hostile.mine.id);
    (void)create_in(&hostile.mine, "sub", HIER_DIR);
    (void)create_in(&hostile.shared, "a", HIER_OBJECT);
    (void)create_in(&hostile.shared, "b", HIER_OBJECT);
    (void)create_in(&hostile.shared, "e", HIER_DIR);
    (void)create_in(&hostile.d, "in", HIER_DIR);
    (void)create_in(&hostile.d, "f", HIER_OBJECT);
    CHECK(hier_symlink(&hostile.shared, n("s"), "d/in/../f", 9) == 0);
    CHECK(hier_insert(&hostile.shared, n("gone"), hostile.file, &plain) == 0);
    CHECK(hier_remove(&hostile.shared, n("gone"), 0) == 0);
}

/* A sum over a page, without the locks in [skip, skip + skip_len). */
static uint64_t page_sum(uint64_t sum, const void *page, uint64_t skip, uint64_t skip_len)
{
    const uint64_t *word = page;

    for (uint64_t i = 0; i < TWZ_PAGE_SIZE / 8; i++) {
        if (i * 8 < skip || i * 8 >= skip + skip_len)
            sum = (sum ^ word[i]) * 0x100000001b3ull;
    }
    return sum;
}

static uint64_t sum_of_others(void)
{
    const objid_t ids[] = { hostile.other.id, hostile.precious, hostile.empty };
    uint64_t sum = 1;

    for (uint32_t i = 0; i < 3; i++) {
        twzobj obj;

        if (twz_object_init_guid(&obj, ids[i], TWZ_READ) < 0)
            return 0;
        sum = page_sum(sum, twz_object_base(&obj), offsetof(struct hier_dir, lock), 64);
        sum = page_sum(sum, twz_object_meta(&obj), 0, 0);
    }
    return sum;
}

/* --- operations ------------------------------------------------------------------------------- */

static uint32_t delete_flag;
static const char *const some_names[] = { "a", "b", "d", "e", "s", "f", "in", "new", "sub" };

static struct hier_name any_name(void)
{
    return n(some_names[rnd() % (sizeof(some_names) / sizeof(some_names[0]))]);
}

static const twzobj *any_dir(void)
{
    return rnd() % 2 ? &hostile.shared : &hostile.d;
}

static void do_lookup(void)
{
    struct hier_found found;

    (void)!hier_lookup(any_dir(), any_name(), &found);
}

static void do_iter(void)
{
    const twzobj *dir = any_dir();
    struct hier_item item;
    uint64_t cursor = 0, last = 0;

    while (hier_iter(dir, &cursor, &item) == 1) {
        CHECK(cursor > last && item.len > 0 && strlen(item.name) == item.len);
        CHECK(!strchr(item.name, '/') && strcmp(item.name, "..") != 0);
        last = cursor;
    }
}

static void do_insert(void)
{
    (void)!hier_insert(any_dir(), any_name(), hostile.file, &plain);
}

void hostile_insert_many(const twzobj *dir)
{
    char name[16];

    for (uint32_t i = 0; i < 40; i++) {
        steps = 0;
        snprintf(name, sizeof(name), "many%u", i);
        (void)!hier_insert(dir, n(name), hostile.file, &plain);
    }
}

static void do_insert_many(void)
{
    hostile_insert_many(any_dir());
}

static void do_symlink(void)
{
    char text[400];

    memset(text, 't', sizeof(text));
    (void)!hier_symlink(any_dir(), any_name(), text, 1 + rnd() % sizeof(text));
}

static void do_readlink(void)
{
    char text[16];

    (void)!hier_readlink(any_dir(), n("s"), text, sizeof(text));
}

static void do_create(void)
{
    struct hier_create create = { .kind = rnd() % 2 ? HIER_DIR : HIER_OBJECT };

    (void)!hier_create(any_dir(), any_name(), &create, NULL);
}

static void do_link(void)
{
    struct hier_found found = { .id = hostile.file,
                                .kind = HIER_OBJECT,
                                .attr = (uint32_t)(rnd() % 24) };

    (void)!hier_link(any_dir(), any_name(), &found);
}

static void do_replace(void)
{
    (void)!hier_replace(any_dir(), any_name(), hostile.file, &plain, delete_flag);
}

static void do_remove(void)
{
    (void)!hier_remove(any_dir(), any_name(), delete_flag);
}

static void do_rename(void)
{
    (void)!hier_rename(any_dir(), any_name(), any_dir(), any_name(), delete_flag);
}

static void do_rename_out(void)
{
    (void)!hier_rename(any_dir(), any_name(), &hostile.mine, any_name(), delete_flag);
}

static void do_rename_in(void)
{
    struct hier_name name = rnd() % 2 ? n("sub") : n("f");

    (void)!hier_rename(&hostile.mine, name, any_dir(), any_name(), delete_flag);
}

static void do_walk(void)
{
    struct hier_where where;

    if (hier_walk(hostile.root.id, hostile.d.id, "../d/in/../../s", 0, &where) == 0)
        hier_where_close(&where);
}

static void do_path_of(void)
{
    char path[TWZ_PATH_MAX];

    (void)!hier_path_of(hostile.root.id, hostile.d.id, path, sizeof(path));
}

static void do_name_of(void)
{
    char path[256];

    (void)!twz_name_of((objid_t){ 1, 1 }, path, sizeof(path));
}

static void print(void *ctx, const char *line)
{
    *(size_t *)ctx += strlen(line);
}

static void do_tools(void)
{
    const twzobj *dir = any_dir();
    size_t len = 0;
    objid_t up;

    (void)!hier_check(dir, NULL, NULL);
    (void)!hier_show(dir, print, &len);
    (void)!hier_probe(dir);
    (void)!hier_parent(dir, &up);
    (void)hier_count(dir);
}

static const struct {
    const char *name;
    void (*run)(void);
} operations[] = {
    { "lookup", do_lookup },           { "iter", do_iter },       { "insert", do_insert },
    { "insert many", do_insert_many }, { "symlink", do_symlink }, { "readlink", do_readlink },
    { "create", do_create },           { "link", do_link },       { "replace", do_replace },
    { "remove", do_remove },           { "rename", do_rename },   { "rename out", do_rename_out },
    { "rename in", do_rename_in },     { "walk", do_walk },       { "path of", do_path_of },
    { "name of", do_name_of },         { "tools", do_tools },
};
#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

static void run_operation(size_t op)
{
    uint64_t before = sum_of_others();

    current = operations[op].name;
    steps = 0;
    operations[op].run();
    if (!delete_flag && sum_of_others() != before) {
        fprintf(stderr, "an object in `other` changed\n");
        report();
        _exit(1);
    }
}

static void run_all_operations(void)
{
    for (size_t op = 0; op < OPERATIONS; op++)
        run_operation(op);
}

/* --- cases found earlier ---------------------------------------------------------------------- */

/* Each operation as the first one, then all of them. */
static void try_case(size_t c)
{
    start_random(c);
    for (size_t op = 0; op < 2 * OPERATIONS; op++) {
        make_world();
        hostile_cases[c].spoil();
        run_operation(op / 2);
        if (hostile_cases[c].good && !hostile_cases[c].good()) {
            fprintf(stderr, "the case is not good after it\n");
            report();
            _exit(1);
        }
        run_all_operations();
    }
}

/* Runs in a child, so that all cases are reported. */
static bool case_fails(size_t c)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        try_case(c);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (status != 0)
        printf("failed: %s\n", hostile_cases[c].name);
    return status != 0;
}

/* --- random cases ----------------------------------------------------------------------------- */

static objid_t any_id(void)
{
    const objid_t ids[] = {
        hostile.root.id,  hostile.shared.id, hostile.d.id,  hostile.mine.id,
        hostile.other.id, hostile.precious,  hostile.empty, hostile.file,
    };

    return ids[rnd() % (sizeof(ids) / sizeof(ids[0]))];
}

/* A random word, preferably one with a meaning. */
static uint64_t some_word(const twzobj *dir)
{
    objid_t id = any_id();
    const uint64_t *words = twz_object_base(dir);

    switch (rnd() % 8) {
    case 0: return rnd() % 4;
    case 1: return id.lo;
    case 2: return id.hi;
    case 3: return words[rnd() % 192];
    case 4: return rnd() >> (rnd() % 64);
    case 5: return TWZ_OBJ_BASE + rnd() % 64 * HIER_CELL;
    case 6: return HIER_CHUNK(rnd() % 4, rnd() % 2 ? rnd() % 8 : rnd() % (1u << 24));
    default: return UINT64_MAX - rnd() % 2;
    }
}

/* Change several words together, so that they lead further. */
static void mutate_state(const twzobj *dir)
{
    struct hier_dir *h = header(dir);
    struct hier_intent *i = &h->intent;
    uint64_t value;

    switch (rnd() % 6) {
    case 0:
        h->peer_intent = any_id();
        h->peer_intent_valid = 1;
        break;
    case 1:
        i->from = any_id();
        i->from_bucket = bucket_of(rnd() % 2 ? &hostile.other : dir, &value);
        i->from_value = value;
        break;
    case 2:
        *(rnd() % 2 ? &i->moved : &i->victim) = any_id();
        i->victim_names = UINT64_MAX - rnd() % 3;
        i->victim_delete = rnd() % 3;
        i->victim_attr = (uint32_t)(rnd() % 24);
        i->named = any_id();
        i->named_attr = (uint32_t)(rnd() % 24);
        break;
    case 3:
        i->to_bucket = bucket_of(dir, &value) + rnd() % 8 * 8;
        i->to_value = value;
        break;
    case 4: h->parent[rnd() % 2] = any_id(); break;
    default: h->op = HIER_COMMITTED; break;
    }
}

/* Change a record, preferably into one that consents to an intent. */
static void mutate_record(void)
{
    struct attr_record *record = attr_at(&hostile.attrs, 1 + rnd() % 20);

    switch (rnd() % 4) {
    case 0: ((uint64_t *)(void *)record)[rnd() % 16] = some_word(&hostile.attrs); break;
    case 1: record->id = any_id(); break;
    case 2: record->names_by = any_dir()->id; break;
    default: ((uint64_t *)twz_object_base(&hostile.attrs))[rnd() % 16] = some_word(&hostile.attrs);
    }
}

static void mutate(void)
{
    const twzobj *dir = any_dir();
    uint8_t *base = twz_object_base(dir);
    uint64_t at = rnd() % (rnd() % 2 ? 512 : 1536);

    switch (rnd() % 5) {
    case 0: base[at] = (uint8_t)rnd(); break;
    case 4: mutate_record(); break;
    case 1: ((uint64_t *)(void *)base)[at / 8] = some_word(dir); break;
    case 2: mutate_state(dir); break;
    default: ((uint64_t *)twz_object_meta(dir))[rnd() % 20] = some_word(dir); break;
    }
}

static void try_round(uint64_t seed)
{
    start_random(seed);
    current = "nothing";
    make_world();
    delete_flag = rnd() % 4 ? 0 : HIER_DELETE;
    for (uint32_t i = 0; i < 6; i++) {
        for (uint64_t many = 1 + rnd() % 6; many > 0; many--)
            mutate();
        run_operation(rnd() % OPERATIONS);
    }
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t rounds = argc > 2 ? strtoull(argv[2], NULL, 10) : ROUNDS;
    int failed = 0;

    __sanitizer_set_death_callback(report);
    for (size_t c = 0; argc <= 2 && c < hostile_case_count; c++)
        failed += case_fails(c);
    printf("seed %llu, %llu rounds\n", (unsigned long long)seed, (unsigned long long)rounds);
    fflush(stdout);
    for (uint64_t i = 0; i < rounds; i++)
        try_round(seed + i);
    printf("%zu passed, %d failed\n", hostile_case_count + 1 - (size_t)failed, failed);
    return failed != 0;
}
