/* SPDX-License-Identifier: MIT */
/* The platform for tests: see host.h. One thread; IDs count up, so that runs repeat. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <twz/persist.h>

#include "../src/platform.h"
#include "host.h"

#define OBJECTS 128u
#define LINES   8192u
#define STORES  4096u
#define SITES   256u

struct object {
    objid_t id;
    uint8_t *start; /* what the program sees */
    uint8_t *disk;  /* what is on the media for sure */
    uint8_t *there;  /* pages that exist */
    uint32_t *pages; /* the same as a list */
    uint32_t page_count;
    struct twz_create create;
    uint32_t live;
    uint32_t provisional;
};

struct store {
    uint32_t line; /* index into lines */
    uint32_t used;
    uint64_t *word; /* in the program's mapping */
    uint64_t value;
};

struct line {
    uintptr_t addr;
    uint32_t stores;  /* listed and not yet on the media */
    uint32_t flushed; /* of those, so many are flushed */
};

static struct object objects[OBJECTS];
static size_t object_count;
static uint64_t next_id = 1;
static uint64_t resume = 1;
static objid_t root;
static int64_t last_error;

static struct store stores[STORES];
static size_t store_count;
static struct line lines[LINES];
static size_t line_count;

static const void *sites[SITES];
static size_t site_count;
static const void *skipped;
static int recording;
static int quiet;
static uint32_t exhaustive = 64;
static uint32_t sampled = 32;
static void (*crash_point)(void *ctx);
static void *crash_ctx;
static uint64_t seed = 0x9e3779b97f4a7c15ull;

_Noreturn void host_fail(const char *file, int line, const char *what)
{
    if (!quiet)
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    _exit(1);
}

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* --- objects ---------------------------------------------------------------------------------- */

static struct object *object_of(objid_t id)
{
    for (size_t i = 0; i < object_count; i++) {
        if (objects[i].live && twz_objid_equal(objects[i].id, id))
            return &objects[i];
    }
    return NULL;
}

static struct object *object_at(const void *p)
{
    for (size_t i = 0; i < object_count; i++) {
        if ((uintptr_t)p - (uintptr_t)objects[i].start < TWZ_OBJ_SIZE)
            return &objects[i];
    }
    return NULL;
}

static uint8_t *reserve(int prot)
{
    uint8_t *p = mmap(NULL, 2 * TWZ_OBJ_SIZE, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uintptr_t at = ((uintptr_t)p + TWZ_OBJ_SIZE - 1) & ~(uintptr_t)(TWZ_OBJ_SIZE - 1);

    CHECK(p != MAP_FAILED);
    munmap(p, at - (uintptr_t)p);
    munmap((uint8_t *)at + TWZ_OBJ_SIZE, TWZ_OBJ_SIZE - (at - (uintptr_t)p));
    CHECK(mprotect((void *)at, TWZ_OBJ_SIZE, prot) == 0);
    return (uint8_t *)at;
}

void host_reset(void)
{
    for (size_t i = 0; i < object_count; i++) {
        munmap(objects[i].start, TWZ_OBJ_SIZE);
        munmap(objects[i].disk, TWZ_OBJ_SIZE);
        free(objects[i].there);
        free(objects[i].pages);
    }
    recording = 0;
    object_count = 0;
    next_id = 1;
    store_count = line_count = 0;
    root = TWZ_OBJID_NONE;
}

void host_root_set(objid_t id)
{
    root = id;
}

size_t host_objects(objid_t *ids, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < object_count; i++) {
        if (objects[i].live && n++ < max)
            ids[n - 1] = objects[i].id;
    }
    return n;
}

int plat_obj_create(const struct twz_create *create, objid_t *id)
{
    struct object *o = &objects[object_count];

    CHECK(object_count < OBJECTS);
    if (!twz_objid_none(create->witness) && !object_of(create->witness))
        return -TWZ_ENOOBJ;
    *o = (struct object){ .create = *create, .live = 1 };
    o->id = (objid_t){ 0x1000 + next_id * 0x9e3779b97f4a7c15ull, next_id };
    o->provisional = !twz_objid_none(create->witness);
    o->start = reserve(PROT_READ);
    o->disk = reserve(PROT_READ | PROT_WRITE);
    o->there = calloc(TWZ_OBJ_PAGES, 1);
    CHECK(o->there != NULL);
    next_id++;
    object_count++;
    *id = o->id;
    return 0;
}

int plat_obj_delete(objid_t id, uint64_t flags)
{
    struct object *o = object_of(id);

    (void)flags;
    if (!o)
        return -TWZ_ENOOBJ;
    o->live = 0;
    return 0;
}

int plat_obj_stat(objid_t id, struct twz_stat *stat)
{
    struct object *o = object_of(id);

    if (!o)
        return -TWZ_ENOOBJ;
    *stat = (struct twz_stat){ .id = id, .flags = TWZ_OBJ_PERSIST };
    return 0;
}

int plat_obj_ctl(objid_t id, uint64_t op, uint64_t arg)
{
    struct object *o = object_of(id);

    (void)arg;
    if (!o)
        return -TWZ_ENOOBJ;
    if (op == TWZ_CTL_PERMANENT)
        o->provisional = 0;
    return 0;
}

int plat_map(objid_t id, uint32_t rights, uint8_t **start)
{
    struct object *o = object_of(id);

    (void)rights;
    if (!o)
        return -TWZ_ENOOBJ;
    *start = o->start;
    return 0;
}

void plat_unmap(uint8_t *start, objid_t id, uint32_t rights)
{
    (void)start;
    (void)id;
    (void)rights;
}

int plat_id_at(const void *addr, objid_t *id, uint32_t *rights)
{
    struct object *o = object_at(addr);

    if (!o)
        return -TWZ_ENOOBJ;
    *id = o->id;
    *rights = TWZ_READ | TWZ_WRITE;
    return 0;
}

static void page_add(struct object *o, uint32_t page)
{
    uint8_t *at = o->start + (size_t)page * TWZ_PAGE_SIZE;

    if ((o->page_count & (o->page_count - 1)) == 0) {
        size_t room = o->page_count ? 2ull * o->page_count : 1;

        o->pages = realloc(o->pages, room * sizeof(*o->pages));
        CHECK(o->pages != NULL);
    }
    o->pages[o->page_count++] = page;
    o->there[page] = 1;
    CHECK(mprotect(at, TWZ_PAGE_SIZE, PROT_READ | PROT_WRITE) == 0);
}

int plat_touch(const void *p, uint64_t len)
{
    struct object *o = object_at(p);
    uint64_t first, last;

    CHECK(o && len > 0);
    first = ((uintptr_t)p - (uintptr_t)o->start) / TWZ_PAGE_SIZE;
    last = ((uintptr_t)p + len - 1 - (uintptr_t)o->start) / TWZ_PAGE_SIZE;
    CHECK(first > 0 && last < TWZ_PAGE_RECORD);
    for (uint64_t i = first; i <= last; i++) {
        if (!o->there[i])
            page_add(o, (uint32_t)i);
    }
    return 0;
}

/* --- the rest of the platform ----------------------------------------------------------------- */

int plat_random(void *buf, size_t len)
{
    memset(buf, 4, len);
    return 0;
}

uint64_t plat_time(void)
{
    return (uint64_t)time(NULL) * 1000000000ull;
}

objid_t plat_names_root(void)
{
    return root;
}

uint64_t plat_owner(void)
{
    return resume << 32 | 7;
}

int plat_owner_alive(uint64_t owner)
{
    return owner == plat_owner();
}

void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns)
{
    (void)word;
    (void)value;
    (void)ns;
    host_fail(__FILE__, __LINE__, "one thread waits for itself");
}

void plat_wake(const uint64_t *word, uint64_t count)
{
    (void)word;
    (void)count;
}

void plat_pause(void)
{
}

int64_t *plat_error(void)
{
    return &last_error;
}

void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller)
{
    (void)at;
    (void)caller;
    (void)object;
    fprintf(stderr, "pointer fault, reason %u\n", reason);
    _exit(99);
}

/* --- the recorder ----------------------------------------------------------------------------- */

static struct line *line_of(uintptr_t addr)
{
    addr &= ~(uintptr_t)63;
    for (size_t i = line_count; i > 0; i--) {
        if (lines[i - 1].addr == addr)
            return &lines[i - 1];
    }
    CHECK(line_count < LINES);
    lines[line_count] = (struct line){ .addr = addr };
    return &lines[line_count++];
}

static void note(uint64_t *word, uint64_t value)
{
    struct line *line = line_of((uintptr_t)word);

    CHECK(store_count < STORES);
    stores[store_count++] =
        (struct store){ .line = (uint32_t)(line - lines), .used = 1, .word = word, .value = value };
    line->stores++;
}

static uint64_t *disk_word(uint64_t *word)
{
    struct object *o = object_at(word);

    CHECK(o != NULL);
    return (uint64_t *)(void *)(o->disk + ((uint8_t *)word - o->start));
}

/* Words that changed without the seam (atomic claims): they count as stored here and now. */
static void note_strays(struct line *line)
{
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t *word = (uint64_t *)(line->addr + i * 8ull);
        uint64_t value = *disk_word(word);

        for (size_t s = 0; s < store_count; s++) {
            if (stores[s].word == word)
                value = stores[s].value;
        }
        if (value != *word)
            note(word, *word);
    }
}

static int site_on(const void *site)
{
    size_t i = 0;

    while (i < site_count && sites[i] != site)
        i++;
    if (i == site_count && site_count < SITES)
        sites[site_count++] = site;
    return site != skipped;
}

static void point(void)
{
    if (crash_point)
        crash_point(crash_ctx);
}

static void flush(const void *p, size_t len)
{
    uintptr_t end = (uintptr_t)p + len;

    for (uintptr_t at = (uintptr_t)p & ~(uintptr_t)63; recording && at < end; at += 64) {
        struct line *line = line_of(at);

        note_strays(line);
        line->flushed = line->stores;
    }
}

static void fence(void)
{
    size_t kept = 0;

    for (size_t s = 0; recording && s < store_count; s++) {
        struct line *line = &lines[stores[s].line];

        if (line->flushed > 0) {
            line->flushed--;
            line->stores--;
            *disk_word(stores[s].word) = stores[s].value;
        } else {
            stores[kept++] = stores[s];
        }
    }
    if (recording)
        store_count = kept;
    if (store_count == 0)
        line_count = 0;
}

void host_skip_site(const void *site)
{
    skipped = site;
}

void host_quiet(int on)
{
    quiet = on;
}

size_t host_sites(const void **out, size_t max)
{
    for (size_t i = 0; i < site_count && i < max; i++)
        out[i] = sites[i];
    return site_count;
}

void twz_persist_flush(const void *p, size_t len)
{
    if (site_on(__builtin_return_address(0)))
        flush(p, len);
}

void twz_persist_fence(void)
{
    point();
    if (site_on(__builtin_return_address(0)))
        fence();
}

void twz_persist(const void *p, size_t len)
{
    const char *site = __builtin_return_address(0);

    point();
    if (site_on(site))
        flush(p, len);
    if (site_on(site + 1))
        fence();
}

void twz_persist_store64(uint64_t *word, uint64_t value)
{
    CHECK(((uintptr_t)word & 7) == 0);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    if (recording)
        note(word, value);
}

void twz_persist_commit64(uint64_t *word, uint64_t value)
{
    const char *site = __builtin_return_address(0);

    point();
    twz_persist_store64(word, value);
    point();
    if (site_on(site))
        flush(word, sizeof(*word));
    if (site_on(site + 1))
        fence();
}

/* Note the words of a range that was just written, in a shuffled order. */
static void note_range(void *dst, size_t len)
{
    uintptr_t first = (uintptr_t)dst & ~(uintptr_t)7;
    size_t count = ((uintptr_t)dst + len - first + 7) / 8;
    size_t skip = count ? rnd() % count : 0;

    for (size_t i = 0; recording && i < count; i++) {
        uint64_t *word = (uint64_t *)first + (i + skip) % count;

        note(word, *word);
    }
}

void twz_persist_copy(void *dst, const void *src, size_t len)
{
    memmove(dst, src, len);
    note_range(dst, len);
}

void twz_persist_zero(void *dst, size_t len)
{
    memset(dst, 0, len);
    note_range(dst, len);
}

static void sync_disk(void)
{
    for (size_t i = 0; i < object_count; i++) {
        struct object *o = &objects[i];

        for (uint32_t p = 0; p < o->page_count; p++) {
            size_t off = (size_t)o->pages[p] * TWZ_PAGE_SIZE;

            memcpy(o->disk + off, o->start + off, TWZ_PAGE_SIZE);
        }
    }
}

void host_crash_points(void (*fn)(void *ctx), void *ctx)
{
    if (fn && !recording)
        sync_disk();
    recording = fn != NULL;
    store_count = fn ? store_count : 0;
    line_count = fn ? line_count : 0;
    crash_point = fn;
    crash_ctx = ctx;
}

/* --- images ----------------------------------------------------------------------------------- */

void host_reboot(void)
{
    resume++;
    for (size_t i = 0; i < object_count; i++) {
        struct object *o = &objects[i];
        struct object *witness = object_of(o->create.witness);
        uint64_t word = 0;

        twz_ptr_forget(o->start);
        if (!o->live || !o->provisional)
            continue;
        if (witness)
            memcpy(&word, witness->start + o->create.witness_off, 8);
        o->live = word == o->create.witness_value;
        o->provisional = 0;
    }
}

/* Make memory what the media hold when line i keeps the first keep[i] of its stores. */
static void become_image(const uint32_t *keep)
{
    static uint32_t taken[LINES];

    memset(taken, 0, sizeof(taken));
    for (size_t s = 0; s < store_count; s++) {
        uint32_t line = stores[s].line;

        if (taken[line] < keep[line])
            *disk_word(stores[s].word) = stores[s].value;
        taken[line]++;
    }
    for (size_t i = 0; i < object_count; i++) {
        struct object *o = &objects[i];

        for (uint32_t p = 0; p < o->page_count; p++) {
            size_t off = (size_t)o->pages[p] * TWZ_PAGE_SIZE;

            memcpy(o->start + off, o->disk + off, TWZ_PAGE_SIZE);
        }
    }
    host_crash_points(NULL, NULL);
    host_reboot();
}

static int try_image(const uint32_t *keep, int (*check)(void *ctx), void *ctx)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        become_image(keep);
        _exit(check(ctx) == 0 ? 0 : 1);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static uint64_t image_total(void)
{
    uint64_t total = 1;

    for (size_t i = 0; i < line_count && total <= exhaustive; i++)
        total *= lines[i].stores + 1ull;
    return total;
}

static void choose(uint32_t *keep, uint64_t which, uint64_t total)
{
    for (size_t i = 0; i < line_count; i++) {
        uint32_t n = lines[i].stores;

        if (total <= exhaustive) {
            keep[i] = (uint32_t)(which % (n + 1ull));
            which /= n + 1ull;
        } else if (which < 2) {
            keep[i] = which ? n : 0;
        } else if (which % 2) {
            keep[i] = rnd() % 2 ? n : 0;
        } else {
            keep[i] = (uint32_t)(rnd() % (n + 1ull));
        }
    }
}

void host_effort(uint32_t all, uint32_t some)
{
    exhaustive = all;
    sampled = some;
}

int host_images(int (*check)(void *ctx), void *ctx)
{
    static uint32_t keep[LINES];
    uint64_t total, tries;

    for (size_t i = 0; i < line_count; i++)
        note_strays(&lines[i]);
    total = image_total();
    tries = total <= exhaustive ? total : sampled;
    for (uint64_t i = 0; i < tries; i++) {
        choose(keep, i, total);
        if (try_image(keep, check, ctx) < 0) {
            if (quiet)
                return -1;
            fprintf(stderr, "image %llu of %llu failed:", (unsigned long long)i,
                    (unsigned long long)total);
            for (size_t l = 0; l < line_count; l++) {
                if (lines[l].stores)
                    fprintf(stderr, " %llx:%u/%u",
                            (unsigned long long)(lines[l].addr & (TWZ_OBJ_SIZE - 1)), keep[l],
                            lines[l].stores);
            }
            fprintf(stderr, "\n");
            return -1;
        }
    }
    return (int)tries;
}
