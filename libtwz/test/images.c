/* SPDX-License-Identifier: MIT */
/* The recorder of the test platform, and the images made from its records: see host.h. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host_inside.h"
#include "sites.h"

#undef twz_persist_flush
#undef twz_persist_fence
#undef twz_persist
#undef twz_persist_commit64

#define LINES  8192u
#define STORES 4096u
#define SEEN   65536u /* a power of two */

struct store {
    uint32_t line; /* index into lines */
    uint32_t used;
    uint64_t *word; /* in the program's mapping */
    uint64_t value;
};

struct line {
    uintptr_t addr;
    uint32_t stores;  /* listed and not yet on the media */
    uint32_t flushed; /* the number of these that are flushed */
};

static struct store stores[STORES];
static size_t store_count;
static struct line lines[LINES];
static size_t line_count;

static uint64_t disk_hash;  /* of all words that reached the media since recording began */
static uint64_t seen[SEEN]; /* images that were tried */
static size_t seen_count;
static uint64_t session; /* counts the times that recording began */

static int recording;
static int counting;
static uint32_t exhaustive = 64;
static uint32_t sampled = 16;
static void (*crash_point)(void *ctx);
static void *crash_ctx;
static uint64_t seed = 0x9e3779b97f4a7c15ull;

static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

void host_forget(void)
{
    recording = 0;
    store_count = line_count = 0;
    memset(seen, 0, sizeof(seen));
    seen_count = 0;
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

static void record_store(uint64_t *word, uint64_t value)
{
    struct line *line = line_of((uintptr_t)word);

    CHECK(store_count < STORES);
    stores[store_count++] =
        (struct store){ .line = (uint32_t)(line - lines), .used = 1, .word = word, .value = value };
    line->stores++;
}

static uint64_t *disk_word(uint64_t *word)
{
    struct host_object *o = host_object_at(word);

    CHECK(o);
    return (uint64_t *)(void *)(o->disk + ((uint8_t *)word - o->start));
}

static uint64_t mix(uintptr_t addr, uint64_t value)
{
    uint64_t x = (addr * 0x9e3779b97f4a7c15ull) ^ value;

    x = (x ^ (x >> 32)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 29)) * 0x94d049bb133111ebull;
    return x ^ (x >> 32);
}

/* Store a word to the media and return the old one. */
static uint64_t disk_put(uint64_t *word, uint64_t value)
{
    uint64_t *to = disk_word(word);
    uint64_t old = *to;

    disk_hash ^= mix((uintptr_t)word, old) ^ mix((uintptr_t)word, value);
    *to = value;
    return old;
}

/* Words that changed without the seam (atomic claims) count as stored here. */
static void record_strays(struct line *line)
{
    for (uint32_t i = 0; i < 8; i++) {
        uint64_t *word = (uint64_t *)(line->addr + i * 8ull);
        uint64_t value = *disk_word(word);

        for (size_t s = 0; s < store_count; s++) {
            if (stores[s].word == word)
                value = stores[s].value;
        }
        if (value != *word)
            record_store(word, *word);
    }
}

static void crash_here(void)
{
    if (crash_point)
        crash_point(crash_ctx);
}

static void flush_lines(const void *p, size_t len)
{
    uintptr_t end = (uintptr_t)p + len;

    for (uintptr_t at = (uintptr_t)p & ~(uintptr_t)63; recording && at < end; at += 64) {
        struct line *line = line_of(at);

        record_strays(line);
        line->flushed = line->stores;
    }
}

static void fence_lines(void)
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

void host_count_sites(int on)
{
    counting = on;
}

static int site_on(host_call_ref *call, int fence_lines)
{
    return host_site_on(call, fence_lines, recording || counting);
}

void host_flush(host_call_ref *call, const void *p, size_t len)
{
    if (site_on(call, 0))
        flush_lines(p, len);
}

void host_fence(host_call_ref *call)
{
    crash_here();
    if (site_on(call, 1))
        fence_lines();
}

void host_flush_fence(host_call_ref *call, const void *p, size_t len)
{
    crash_here();
    if (site_on(call, 0))
        flush_lines(p, len);
    if (site_on(call, 1))
        fence_lines();
}

void host_commit64(host_call_ref *call, uint64_t *word, uint64_t value)
{
    crash_here();
    twz_persist_store64(word, value);
    crash_here();
    if (site_on(call, 0))
        flush_lines(word, sizeof(*word));
    if (site_on(call, 1))
        fence_lines();
}

/* For calls of the tests themselves, which are not sites. */
void twz_persist_flush(const void *p, size_t len)
{
    flush_lines(p, len);
}

void twz_persist_fence(void)
{
    crash_here();
    fence_lines();
}

void twz_persist(const void *p, size_t len)
{
    crash_here();
    flush_lines(p, len);
    fence_lines();
}

void twz_persist_commit64(uint64_t *word, uint64_t value)
{
    crash_here();
    twz_persist_store64(word, value);
    crash_here();
    flush_lines(word, sizeof(*word));
    fence_lines();
}

void twz_persist_store64(uint64_t *word, uint64_t value)
{
    CHECK(((uintptr_t)word & 7) == 0);
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    if (recording)
        record_store(word, value);
}

/* Record the words of a range that was just written, in an order that starts at a random word. */
static void record_range(void *dst, size_t len)
{
    uintptr_t first = (uintptr_t)dst & ~(uintptr_t)7;
    size_t count = ((uintptr_t)dst + len - first + 7) / 8;
    size_t skip = count ? rnd() % count : 0;

    for (size_t i = 0; recording && i < count; i++) {
        uint64_t *word = (uint64_t *)first + (i + skip) % count;

        record_store(word, *word);
    }
}

void twz_persist_copy(void *dst, const void *src, size_t len)
{
    memmove(dst, src, len);
    record_range(dst, len);
}

void twz_persist_zero(void *dst, size_t len)
{
    memset(dst, 0, len);
    record_range(dst, len);
}

static void copy_page(uint8_t *to, const uint8_t *from)
{
    if (memcmp(to, from, TWZ_PAGE_SIZE) != 0) /* a write costs a page of a forked process */
        memcpy(to, from, TWZ_PAGE_SIZE);
}

static void sync_disk(void)
{
    for (size_t i = 0; i < host_obj_count; i++) {
        struct host_object *o = &host_objs[i];

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

/* Store the first keep[i] stores of line i to the media; undo[]: the old words. */
static void disk_apply(const uint32_t *keep, uint64_t *undo)
{
    static uint32_t taken[LINES];

    memset(taken, 0, line_count * sizeof(taken[0]));
    for (size_t s = 0; s < store_count; s++) {
        if (taken[stores[s].line]++ < keep[stores[s].line])
            undo[s] = disk_put(stores[s].word, stores[s].value);
    }
}

/* Backwards, since a word may have been stored twice. */
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

/* Copy the media to memory and reboot. */
static void become_image(void)
{
    for (size_t i = 0; i < host_obj_count; i++) {
        struct host_object *o = &host_objs[i];

        for (uint32_t p = 0; p < o->page_count; p++) {
            size_t off = (size_t)o->pages[p] * TWZ_PAGE_SIZE;

            copy_page(o->start + off, o->disk + off);
        }
    }
    host_crash_points(NULL, NULL);
    host_reboot();
}

/* The image was tried with this salt since recording began. It is remembered. */
static bool is_image_seen(uint64_t salt)
{
    uint64_t hash = disk_hash ^ mix(salt + 1, session);
    size_t at;

    for (size_t i = 0; i < host_obj_count; i++)
        hash ^= mix(host_objs[i].id.lo, 2 * host_objs[i].live + host_objs[i].provisional);
    hash |= 1; /* 0: free */
    for (at = hash % SEEN; seen[at]; at = (at + 1) % SEEN) {
        if (seen[at] == hash)
            return true;
    }
    if (seen_count < SEEN / 2) {
        seen[at] = hash;
        seen_count++;
    }
    return false;
}

/* 1 good, 0 seen before, -1 bad. */
static int try_image(const uint32_t *keep, uint64_t salt, int (*check)(void *ctx), void *ctx)
{
    static uint64_t undo[STORES];
    int status = 0;
    pid_t pid;
    bool known;

    disk_apply(keep, undo);
    known = is_image_seen(salt);
    if (!known) {
        fflush(NULL);
        pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            host_reached_as(HOST_REACHED_AFTER);
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
        host_reached_as(HOST_REACHED_AFTER);
        crash_point = NULL;
        for (size_t i = 0; i < line_count; i++)
            lines[i].flushed = 0; /* a fence of another thread does not end this one's flushes */
        host_new_owner();
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

/* Image number `which` of `total`, exhaustively or from the sample (host.h). */
static void choose_image(uint32_t *keep, uint64_t which, uint64_t total)
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
        record_strays(&lines[i]);
    total = image_total();
    tries = total <= exhaustive ? total : 2 + 2 * lines_open() + sampled;
    for (uint64_t i = 0; i < tries; i++) {
        int err;

        choose_image(keep, i, total);
        err = try_image(keep, salt, check, ctx);
        count += err > 0;
        if (err < 0) {
            if (host_is_quiet)
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
