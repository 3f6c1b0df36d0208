/* SPDX-License-Identifier: MIT */
/*
 * The store on two cores under power failure. A fence waits for the flushes of its own core only.
 * So an operation that has returned on one core must not depend on lines that another core has
 * flushed and not fenced yet.
 *
 * Core 0 makes a change. At each of its flushes, fences and commits, and wherever it gives a lock
 * back, core 1 makes another change, from its begin to its end, if the locks let it. Then the power
 * fails: of the lines that core 0 has pending, none is on the media, or all are, or one, or all but
 * one. Recovery must find the change of core 1.
 *
 * With --without SITE ("store/table.c:160 fence"), that flush or fence has no effect, and the
 * program ends at the first failure. Exit status 1: there was one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <store/persist.h>
#include <store/store.h>

#define SIZE    (1u << 20)
#define CORES   2u
#define PENDING 4096u
#define OBJECTS 8u /* at the begin: a whole chunk of the table, or one row less */

static _Alignas(4096) uint8_t memory[SIZE], media[SIZE], image[SIZE];
static struct {
    uint32_t line[PENDING];
    uint32_t count;
} pending[CORES];

static struct {
    struct store *store;
    uint32_t core;
    uint32_t held[STORE_LOCKS];
    uint32_t until; /* points before core 1 runs; 0: it has run */
    unsigned inner; /* the change of core 1 */
    objid_t made;   /* by it */
    const char *without;
    unsigned checked, failed;
} run;

/* --- the persistence seam: lines reach the media at a fence of the core that flushed them ----- */

static void stop(const char *what)
{
    printf("store-cores: %s\n", what);
    exit(2);
}

/* Core 1 may run here. */
static void pass_point(void);

static void add_lines(const void *at, size_t len)
{
    uint32_t first = (uint32_t)((const uint8_t *)at - memory) / PERSIST_LINE;
    uint32_t last = (uint32_t)((const uint8_t *)at + len - 1 - memory) / PERSIST_LINE;

    for (; first <= last; first++) {
        if (pending[run.core].count == PENDING)
            stop("too many pending lines");
        pending[run.core].line[pending[run.core].count++] = first;
    }
}

static void write_line(uint8_t *to, uint32_t line)
{
    memcpy(to + line * PERSIST_LINE, memory + line * PERSIST_LINE, PERSIST_LINE);
}

void persist_host_store64(uint64_t *dst, uint64_t value)
{
    *dst = value;
}

void persist_host_copy(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
}

void persist_host_zero(void *dst, size_t len)
{
    memset(dst, 0, len);
}

void persist_host_copy_nt(void *dst, const void *src, size_t len)
{
    memcpy(dst, src, len);
    add_lines(dst, len);
}

void persist_host_zero_nt(void *dst, size_t len)
{
    memset(dst, 0, len);
    add_lines(dst, len);
}

void persist_host_flush(const void *addr, size_t len, const char *site)
{
    if (!run.without || strcmp(site, run.without) != 0)
        add_lines(addr, len);
    pass_point();
}

void persist_host_fence(const char *site)
{
    if (run.without && strcmp(site, run.without) == 0)
        return;
    for (uint32_t i = 0; i < pending[run.core].count; i++)
        write_line(media, pending[run.core].line[i]);
    pending[run.core].count = 0;
    pass_point();
}

void persist_host_commit_point(const char *site)
{
    (void)site;
    pass_point();
}

/* --- the changes ------------------------------------------------------------------------------ */

static objid_t create(uint64_t name, objid_t tie)
{
    struct store_create create = {
        .nonce = { name, name }, .perms = TWZ_READ, .kind = TWZ_KIND_DATA, .tie_parent = tie
    };
    objid_t id;
    uint32_t row;

    if (store_obj_create(run.store, &create, &row, &id) < 0)
        stop("no object");
    return id;
}

/* The row of the i-th object of the begin. */
static uint32_t row_of(struct store *store, uint64_t i)
{
    struct store_create create = { .nonce = { i, i }, .perms = TWZ_READ };
    uint32_t row;

    return store_lookup(store, store_obj_id(&create), &row) < 0 ? STORE_NO_ROW : row;
}

static objid_t id_of(uint64_t i)
{
    return store_obj_id_of(run.store, row_of(run.store, i));
}

static void add_pages(uint64_t i, uint32_t first, uint32_t count)
{
    if (store_page_add_many(run.store, row_of(run.store, i), first, count, NULL, NULL) < 0)
        stop("no page");
}

static void delete_object(uint64_t i)
{
    uint32_t row = row_of(run.store, i);

    run.held[STORE_LOCK_TABLE]++;
    if (store_obj_delete(run.store, row, NULL, NULL) < 0 || store_obj_release(run.store, row) < 0)
        stop("no deletion");
    run.held[STORE_LOCK_TABLE]--;
}

static void change_perms(uint64_t i)
{
    struct store_update update = { .which = STORE_UPDATE_PERMS };

    run.held[STORE_LOCK_TABLE]++;
    if (store_obj_update(run.store, row_of(run.store, i), &update) < 0)
        stop("no update");
    run.held[STORE_LOCK_TABLE]--;
}

static bool has_page(struct store *store, uint64_t i, uint32_t page)
{
    struct store_page at;

    return store_page_get(store, row_of(store, i), page, &at) >= 0 && at.state == STORE_PRESENT;
}

enum { CREATE, CREATE_TIED, ADD_PAGE, ADD_PAGES, DELETE, UPDATE, CHANGES };
static const char *const change_name[CHANGES] = { "create",    "create tied", "add page",
                                                  "add pages", "delete",      "update" };

/* Core 0 uses the objects 1 and 2, core 1 the objects 3 and 4. */
static void make_change(unsigned change, uint64_t i)
{
    objid_t made = TWZ_OBJID_NONE;

    switch (change) {
    case CREATE: made = create(100 + i, TWZ_OBJID_NONE); break;
    case CREATE_TIED: made = create(100 + i, id_of(i)); break;
    case ADD_PAGE: add_pages(i, 1, 1); break;
    case ADD_PAGES: add_pages(i, 500, 30); break; /* below two nodes */
    case DELETE: delete_object(i + 1); break;
    default: change_perms(i); break;
    }
    if (run.core == 1)
        run.made = made;
}

/* A change that takes TABLE, or whose caller must hold it. */
static bool needs_table(unsigned change)
{
    return change != ADD_PAGE && change != ADD_PAGES;
}

static bool is_made(struct store *store, unsigned change, uint64_t i)
{
    struct store_stat stat;
    uint32_t row;

    switch (change) {
    case CREATE:
    case CREATE_TIED: return store_lookup(store, run.made, &row) >= 0;
    case ADD_PAGE: return has_page(store, i, 1);
    case ADD_PAGES: return has_page(store, i, 500) && has_page(store, i, 529);
    case DELETE: return row_of(store, i + 1) == STORE_NO_ROW;
    default: return store_obj_info(store, row_of(store, i), &stat) >= 0 && stat.perms == 0;
    }
}

/* --- power failure ---------------------------------------------------------------------------- */

static void *get_memory(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void free_memory(void *ctx, void *mem, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(mem);
}

static void check_image(const char *what)
{
    struct store_env env = {
        .base = image, .size = SIZE, .alloc = get_memory, .free = free_memory, .scratch = true
    };
    struct store_recovery recovery;
    struct store *store = NULL;
    bool good;

    /* recovery stores to `image`, not to the pool: its lines are not pending */
    good = store_open(&env, &store, NULL) >= 0 && store_recover_readonly(store, &recovery) >= 0 &&
           recovery.damaged == 0 && is_made(store, run.inner, 3);
    if (store)
        store_close(store);
    run.checked++;
    run.failed += !good;
    if (!good && run.without)
        exit(1);
    if (!good)
        printf("FAILED: %s on core 1 is lost: %s\n", change_name[run.inner], what);
}

static void fail_power(void)
{
    uint32_t count = pending[0].count;

    for (uint32_t one = 0; one <= count; one++) {
        memcpy(image, media, SIZE);
        if (one < count)
            write_line(image, pending[0].line[one]);
        check_image(one < count ? "one line of core 0" : "no line of core 0");
        for (uint32_t i = 0; i < count; i++) {
            if (one == count || pending[0].line[i] != pending[0].line[one])
                write_line(image, pending[0].line[i]);
        }
        if (one < count) { /* all but the one */
            memcpy(image + pending[0].line[one] * PERSIST_LINE,
                   media + pending[0].line[one] * PERSIST_LINE, PERSIST_LINE);
        }
        check_image(one < count ? "all but one line of core 0" : "all lines of core 0");
    }
}

/* --- the cores -------------------------------------------------------------------------------- */

static uint32_t this_core(void *ctx)
{
    (void)ctx;
    return run.core;
}

static void lock(void *ctx, uint32_t which)
{
    (void)ctx;
    if (run.held[which]++)
        stop("a lock is taken twice");
}

static void run_core_1(void)
{
    run.core = 1;
    make_change(run.inner, 3);
    fail_power();
    run.core = 0;
}

static void unlock(void *ctx, uint32_t which)
{
    (void)ctx;
    run.held[which]--;
    pass_point();
}

static void pass_point(void)
{
    if (run.core == 1 || run.until == 0 || run.held[STORE_LOCK_BAD] || run.held[STORE_LOCK_FRAMES])
        return;
    if (run.held[STORE_LOCK_TABLE] && needs_table(run.inner))
        return;
    if (--run.until == 0)
        run_core_1();
}

/* A pool with `objects` objects, all of it on the media. */
static void begin(uint64_t objects)
{
    struct store_env env = { .base = memory,
                             .size = SIZE,
                             .alloc = get_memory,
                             .free = free_memory,
                             .core = this_core,
                             .cores = CORES,
                             .lock = lock,
                             .unlock = unlock };
    struct store_mkpool make = { .uuid = { 1 } };
    struct store_recovery recovery;

    memset(&memory, 0, SIZE);
    memset(pending, 0, sizeof(pending));
    if (store_mkpool(&env, &make) < 0 || store_open(&env, &run.store, NULL) < 0 ||
        store_recover(run.store, &recovery) < 0)
        stop("no pool");
    for (uint64_t i = 1; i <= objects; i++)
        (void)create(i, TWZ_OBJID_NONE);
    memset(pending, 0, sizeof(pending));
    memcpy(media, memory, SIZE);
}

/* False: core 0 gives fewer locks back. */
static bool run_pair(uint64_t objects, unsigned outer, unsigned inner, uint32_t at)
{
    bool has_run;

    run.until = 0;
    begin(objects);
    run.inner = inner;
    run.until = at;
    make_change(outer, 1);
    has_run = run.until == 0;
    run.until = 0;
    store_close(run.store);
    return has_run;
}

int main(int argc, char **argv)
{
    unsigned points = 0;

    run.without = argc == 3 && strcmp(argv[1], "--without") == 0 ? argv[2] : NULL;
    for (uint64_t objects = OBJECTS - 1; objects <= OBJECTS; objects++)
        for (unsigned outer = 0; outer < CHANGES; outer++)
            for (unsigned inner = 0; inner < CHANGES; inner++)
                for (uint32_t at = 1; run_pair(objects, outer, inner, at); at++)
                    points++;
    printf("%u images at %u points\n", run.checked, points);
    printf("%u passed, %u failed\n", run.checked - run.failed, run.failed);
    if (points < 300)
        stop("too few points");
    return run.failed ? 1 : 0;
}
