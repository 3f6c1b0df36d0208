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
#include "sites.h"

#undef twz_persist_flush
#undef twz_persist_fence
#undef twz_persist
#undef twz_persist_commit64

#define OBJECTS 128u
#define LINES   8192u
#define STORES  4096u
#define SEEN    65536u /* a power of two */

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

static uint64_t disk_hash;  /* of all words that the media got since recording began */
static uint64_t seen[SEEN]; /* images that were tried */
static size_t seen_count;
static uint64_t session; /* one for each time that recording began */

static int recording;
static int noting;
static int quiet;
static uint32_t exhaustive = 64;
static uint32_t sampled = 16;
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
    memset(seen, 0, sizeof(seen));
    seen_count = 0;
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
    if (!quiet)
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

static uint64_t mix(uintptr_t addr, uint64_t value)
{
    uint64_t x = (addr * 0x9e3779b97f4a7c15ull) ^ value;

    x = (x ^ (x >> 32)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 29)) * 0x94d049bb133111ebull;
    return x ^ (x >> 32);
}

/* The media get a word: what it was. */
static uint64_t disk_put(uint64_t *word, uint64_t value)
{
    uint64_t *to = disk_word(word);
    uint64_t old = *to;

    disk_hash ^= mix((uintptr_t)word, old) ^ mix((uintptr_t)word, value);
    *to = value;
    return old;
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
            (void)disk_put(stores[s].word, stores[s].value);
        } else {
            stores[kept++] = stores[s];
        }
    }
    if (recording)
        store_count = kept;
    if (store_count == 0)
        line_count = 0;
}

void host_quiet(int on)
{
    quiet = on;
}

void host_note_sites(int on)
{
    noting = on;
}

static int site_on(host_call_ref *call, int fence)
{
    return host_site_on(call, fence, recording || noting);
}

void host_flush(host_call_ref *call, const void *p, size_t len)
{
    if (site_on(call, 0))
        flush(p, len);
}

void host_fence(host_call_ref *call)
{
    point();
    if (site_on(call, 1))
        fence();
}

void host_flush_fence(host_call_ref *call, const void *p, size_t len)
{
    point();
    if (site_on(call, 0))
        flush(p, len);
    if (site_on(call, 1))
        fence();
}

void host_commit64(host_call_ref *call, uint64_t *word, uint64_t value)
{
    point();
    twz_persist_store64(word, value);
    point();
    if (site_on(call, 0))
        flush(word, sizeof(*word));
    if (site_on(call, 1))
        fence();
}

/* For the tests' own calls, which are no sites. */
void twz_persist_flush(const void *p, size_t len)
{
    flush(p, len);
}

void twz_persist_fence(void)
{
    point();
    fence();
}

void twz_persist(const void *p, size_t len)
{
    point();
    flush(p, len);
    fence();
}

void twz_persist_commit64(uint64_t *word, uint64_t value)
{
    point();
    twz_persist_store64(word, value);
    point();
    flush(word, sizeof(*word));
    fence();
}

void twz_persist_store64(uint64_t *word, uint64_t value)
{
    CHECK(((uintptr_t)word & 7) == 0);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    if (recording)
        note(word, value);
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

static void copy_page(uint8_t *to, const uint8_t *from)
{
    if (memcmp(to, from, TWZ_PAGE_SIZE) != 0) /* a write costs a page of a forked process */
        memcpy(to, from, TWZ_PAGE_SIZE);
}

static void sync_disk(void)
{
    for (size_t i = 0; i < object_count; i++) {
        struct object *o = &objects[i];

        for (uint32_t p = 0; p < o->page_count; p++) {
            size_t off = (size_t)o->pages[p] * TWZ_PAGE_SIZE;

            copy_page(o->disk + off, o->start + off);
        }
    }
}

void host_crash_points(void (*fn)(void *ctx), void *ctx)
{
    if (fn && !recording) {
        sync_disk();
        disk_hash = 0;
        session++;
    }
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

/* Give the media the first keep[i] stores of line i; undo[] is what was there before. */
static void disk_apply(const uint32_t *keep, uint64_t *undo)
{
    static uint32_t taken[LINES];

    memset(taken, 0, line_count * sizeof(taken[0]));
    for (size_t s = 0; s < store_count; s++) {
        if (taken[stores[s].line]++ < keep[stores[s].line])
            undo[s] = disk_put(stores[s].word, stores[s].value);
    }
}

/* Backwards, since a word may have been given twice. */
static void disk_undo(const uint32_t *keep, const uint64_t *undo)
{
    static uint32_t left[LINES];

    for (size_t i = 0; i < line_count; i++)
        left[i] = lines[i].stores;
    for (size_t s = store_count; s > 0; s--) {
        if (--left[stores[s - 1].line] < keep[stores[s - 1].line])
            (void)disk_put(stores[s - 1].word, undo[s - 1]);
    }
}

/* Make memory what the media hold. */
static void become_image(void)
{
    for (size_t i = 0; i < object_count; i++) {
        struct object *o = &objects[i];

        for (uint32_t p = 0; p < o->page_count; p++) {
            size_t off = (size_t)o->pages[p] * TWZ_PAGE_SIZE;

            copy_page(o->start + off, o->disk + off);
        }
    }
    host_crash_points(NULL, NULL);
    host_reboot();
}

/* Was what the media hold tried already, with this salt, since recording began? */
static int image_seen(uint64_t salt)
{
    uint64_t hash = disk_hash ^ mix(salt + 1, session);
    size_t at;

    for (size_t i = 0; i < object_count; i++)
        hash ^= mix(objects[i].id.lo, 2 * objects[i].live + objects[i].provisional);
    hash |= 1; /* 0: free */
    for (at = hash % SEEN; seen[at]; at = (at + 1) % SEEN) {
        if (seen[at] == hash)
            return 1;
    }
    if (seen_count < SEEN / 2) {
        seen[at] = hash;
        seen_count++;
    }
    return 0;
}

/* 1 good, 0 seen before, -1 bad. */
static int try_image(const uint32_t *keep, uint64_t salt, int (*check)(void *ctx), void *ctx)
{
    static uint64_t undo[STORES];
    int status = 0;
    pid_t pid;
    int known;

    disk_apply(keep, undo);
    known = image_seen(salt);
    if (!known) {
        fflush(NULL);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            host_met_as(HOST_MET_AFTER);
            become_image();
            _exit(check(ctx) == 0 ? 0 : 1);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
    }
    disk_undo(keep, undo);
    if (known)
        return 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : -1;
}

int host_death(int (*check)(void *ctx), void *ctx)
{
    int status;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        host_met_as(HOST_MET_AFTER);
        crash_point = NULL;
        resume++;
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

static uint64_t lines_open(void)
{
    uint64_t open = 0;

    for (size_t i = 0; i < line_count; i++)
        open += lines[i].stores != 0;
    return open;
}

/* None, all, each line alone, all but each, and random ones; or exhaustively. */
static void choose(uint32_t *keep, uint64_t which, uint64_t total)
{
    uint64_t open = lines_open(), at = 0, picked = (which - 2) / 2;

    for (size_t i = 0; i < line_count; i++) {
        uint32_t n = lines[i].stores;

        if (total <= exhaustive) {
            keep[i] = (uint32_t)(which % (n + 1ull));
            which /= n + 1ull;
        } else if (which < 2) {
            keep[i] = which ? n : 0;
        } else if (picked < open) {
            keep[i] = (at == picked) == (which % 2 == 0) ? n : 0;
            at += n != 0;
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

int host_images(uint64_t salt, int (*check)(void *ctx), void *ctx)
{
    static uint32_t keep[LINES];
    uint64_t total, tries;
    int count = 0;

    for (size_t i = 0; i < line_count; i++)
        note_strays(&lines[i]);
    total = image_total();
    tries = total <= exhaustive ? total : 2 + 2 * lines_open() + sampled;
    for (uint64_t i = 0; i < tries; i++) {
        int r;

        choose(keep, i, total);
        r = try_image(keep, salt, check, ctx);
        count += r > 0;
        if (r < 0) {
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
    return count;
}
