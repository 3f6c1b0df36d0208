/* SPDX-License-Identifier: MIT */
/*
 * One range of WINDOWS GiB is reserved; window i is [arena + i GiB, + 1 GiB). A window in use shows
 * read-only zeroes where its object has no page, and the frames of the pool file elsewhere. A frame
 * is mapped writable only where it is not shared. A window whose use count fell to 0 stays mapped
 * until the window is needed for another object, the least recently used one first. So a second
 * walk through a directory costs nothing.
 *
 * With POOL_READ, both the pool's map and the windows are private, so that an interrupted change
 * can be completed in memory. While a window is open for writing, it holds the valid bytes of its
 * object. When it is dropped, pages that differ are copied to the pool's map, flushed or not: else
 * it would show a lock as taken that was given back, as after a power failure. A frame that differs
 * from the file is copied into each new mapping.
 *
 * Invariants:
 *   - A window's mappings agree with the page words of its object: both change only in this file,
 *     or are followed by window_refresh.
 *   - A deleted object's frames are freed when the use count of its window is 0.
 *
 * One thread, no locks. Nothing here needs recovery: page words belong to the store.
 */
#define _GNU_SOURCE
#include "window.h"

#include <hier/layout.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <twz/error.h>

#include "fail.h"
#include "host_fault.h"
#include "platform.h"

#define WINDOWS 128u

struct window {
    objid_t id; /* 0: free */
    uint32_t row;
    uint32_t count;
    uint64_t used;   /* clock of the last use */
    uint32_t rights; /* union of the rights of all plat_map calls */
    bool deleted;    /* free the object's frames when count is 0 */
    bool cow_broken; /* opened for writing; a directory has no shared pages */
};

static struct {
    struct pool *pool;
    uint8_t *reserved; /* as mmap gave it */
    uint8_t *arena;    /* its first multiple of 1 GiB */
    struct window window[WINDOWS];
    uint64_t clock;
    uint8_t *changed; /* POOL_READ: a bit for each frame whose bytes differ from the file's */
} host;

static uint8_t *window_start(const struct window *w)
{
    return host.arena + ((uint64_t)(w - host.window) << TWZ_OBJ_SHIFT);
}

static struct window *find_window(objid_t id)
{
    for (unsigned i = 0; i < WINDOWS; i++) {
        if (objid_equal(host.window[i].id, id) && !objid_equal(id, TWZ_OBJID_NONE))
            return &host.window[i];
    }
    return NULL;
}

/* --- mapping ------------------------------------------------------------------------------- */

/* Map zeroes over the whole window, as absent pages read. */
static int window_clear(const struct window *w, int prot)
{
    void *p = mmap(window_start(w), TWZ_OBJ_SIZE, prot,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

    return p == MAP_FAILED ? -TWZ_ENOMEM : 0;
}

static bool is_private(void)
{
    return host.pool->mode == POOL_READ;
}

static void mark_changed(uint32_t frame)
{
    host.changed[frame / 8] |= (uint8_t)(1u << (frame % 8));
}

/* Map `count` consecutive frames at a page. */
static int window_map(const struct window *w, uint32_t page, uint32_t frame, uint32_t count,
                      bool writable)
{
    int share = is_private() ? MAP_PRIVATE | MAP_NORESERVE : MAP_SHARED;
    uint8_t *at = window_start(w) + (uint64_t)page * TWZ_PAGE_SIZE;
    void *p = mmap(at, (size_t)count * TWZ_PAGE_SIZE, PROT_READ | (writable ? PROT_WRITE : 0),
                   share | MAP_FIXED, host.pool->fd, (off_t)frame * STORE_FRAME_SIZE);

    if (p == MAP_FAILED)
        return -TWZ_ENOMEM;
    for (uint32_t i = 0; is_private() && i < count; i++) {
        if (host.changed[(frame + i) / 8] & (1u << ((frame + i) % 8)))
            memcpy(at + (uint64_t)i * TWZ_PAGE_SIZE, store_frame_ptr(host.pool->store, frame + i),
                   TWZ_PAGE_SIZE);
    }
    return 0;
}

static bool is_page_writable(const struct store_page *at)
{
    if (is_private())
        return true;
    return at->state == STORE_PRESENT && !(at->flags & STORE_FLAG_READONLY);
}

/* Map the pages [first, end); consecutive frames are mapped by one call. */
static int window_fill(const struct window *w, uint32_t first, uint32_t end)
{
    struct store_page run = { 0 };
    uint32_t count = 0;
    struct store_page at = { .page = first };

    for (;; at.page++) {
        bool more = store_page_next(host.pool->store, w->row, &at) >= 0 && at.page < end;
        bool there = more && (at.state == STORE_PRESENT || at.state == STORE_SHARED);
        int err;

        if (there && count > 0 && at.page == run.page + count && at.frame == run.frame + count &&
            is_page_writable(&at) == is_page_writable(&run)) {
            count++;
            continue;
        }
        err = count ? window_map(w, run.page, run.frame, count, is_page_writable(&run)) : 0;
        if (err < 0 || !more)
            return err;
        run = at;
        count = there ? 1 : 0;
    }
}

/* POOL_READ: copy the pages that differ to the pool's map. */
static void window_save(const struct window *w)
{
    struct store_page at = { .page = 0 };

    if (!is_private() || !(w->rights & TWZ_WRITE))
        return;
    for (; store_page_next(host.pool->store, w->row, &at) >= 0; at.page++) {
        const uint8_t *from = window_start(w) + (uint64_t)at.page * TWZ_PAGE_SIZE;
        uint8_t *to;

        if (at.state != STORE_PRESENT || at.page >= TWZ_PAGE_RECORD)
            continue;
        to = store_frame_ptr(host.pool->store, at.frame);
        if (memcmp(to, from, TWZ_PAGE_SIZE) == 0)
            continue;
        memcpy(to, from, TWZ_PAGE_SIZE);
        mark_changed(at.frame);
    }
}

static void window_drop(struct window *w)
{
    if (!w->deleted)
        window_save(w);
    twz_ptr_forget(window_start(w));
    (void)window_clear(w, PROT_NONE);
    memset(w, 0, sizeof(*w));
}

/* A free window, or the least recently used one with use count 0; NULL: all are in use. */
static struct window *window_alloc(void)
{
    struct window *best = NULL;

    for (unsigned i = 0; i < WINDOWS; i++) {
        struct window *w = &host.window[i];

        if (objid_equal(w->id, TWZ_OBJID_NONE))
            return w;
        if (w->count == 0 && (!best || w->used < best->used))
            best = w;
    }
    if (best)
        window_drop(best);
    return best;
}

int window_attach(struct pool *pool)
{
    if (!host.arena) {
        size_t len = (size_t)(WINDOWS + 1) << TWZ_OBJ_SHIFT;
        void *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (p == MAP_FAILED)
            return fail(TOOL_FULL,
                        "the address space has no %u GiB to map objects: allow this "
                        "process more virtual memory",
                        WINDOWS + 1);
        host.reserved = p;
        host.arena = host.reserved + (-(uintptr_t)p & (TWZ_OBJ_SIZE - 1));
        host_fault_watch(HOST_FAULT_WINDOWS, host.arena, (uint64_t)WINDOWS << TWZ_OBJ_SHIFT);
    }
    host.pool = pool;
    host.changed = calloc(1, pool->size / STORE_FRAME_SIZE / 8 + 1);
    return host.changed ? TOOL_OK : fail(TOOL_FULL, "out of memory");
}

void window_detach(const struct pool *pool)
{
    if (host.pool != pool)
        return;
    for (unsigned i = 0; i < WINDOWS; i++) {
        if (!objid_equal(host.window[i].id, TWZ_OBJID_NONE))
            window_drop(&host.window[i]);
    }
    free(host.changed);
    host.changed = NULL;
    host.pool = NULL;
}

int window_refresh(uint32_t row)
{
    for (unsigned i = 0; i < WINDOWS; i++) {
        struct window *w = &host.window[i];
        int err;

        if (objid_equal(w->id, TWZ_OBJID_NONE) || w->row != row)
            continue;
        w->cow_broken = false;
        err = window_clear(w, PROT_READ);
        return err < 0 ? err : window_fill(w, 0, TWZ_PAGE_RECORD);
    }
    return 0;
}

static int touch_present(const struct window *w, const struct store_page *at);

/* hier stores to a directory without plat_touch: in the system, the fault copies a shared page.
 * Here all shared pages of a directory are copied when it is opened for writing. Shared pages of
 * other objects are copied by plat_touch. */
static int break_directory_cow(struct window *w)
{
    const struct hier_dir *dir = (const void *)(window_start(w) + TWZ_OBJ_BASE);
    struct store_page at = { .page = 1 };
    int err = 0;

    if (dir->magic != HIER_MAGIC)
        at.page = TWZ_PAGE_RECORD;
    for (; err >= 0 && store_page_next(host.pool->store, w->row, &at) >= 0; at.page++) {
        if (at.state == STORE_SHARED && !(at.flags & STORE_FLAG_READONLY))
            err = touch_present(w, &at);
    }
    w->cow_broken = err >= 0;
    return err;
}

/* Nothing writes a sealed object. */
static int check_rights(objid_t id, uint32_t rights, uint32_t *row)
{
    struct store_stat stat;
    int err = store_lookup(host.pool->store, id, row);

    if (err == 0 && (rights & TWZ_WRITE) != 0)
        err = store_obj_info(host.pool->store, *row, &stat);
    if (err < 0 || (rights & TWZ_WRITE) == 0)
        return err;
    return stat.flags & STORE_OBJ_SEALED ? -TWZ_EDENIED : 0;
}

int plat_map(objid_t id, uint32_t rights, uint8_t **start)
{
    struct window *w = find_window(id);
    uint32_t row;
    int err = check_rights(id, rights, &row);

    if (err < 0)
        return err;
    if (!w) {
        w = window_alloc();
        if (!w)
            return -TWZ_ENOMEM;
        err = window_clear(w, PROT_READ);
        *w = (struct window){ .id = id, .row = row };
        if (err == 0)
            err = window_fill(w, 0, TWZ_PAGE_RECORD);
        if (err < 0) {
            window_drop(w);
            return err;
        }
    }
    if ((rights & TWZ_WRITE) && !w->cow_broken && !is_private()) {
        err = break_directory_cow(w);
        if (err < 0)
            return err;
    }
    w->count++;
    w->rights |= rights;
    w->used = ++host.clock;
    *start = window_start(w);
    return 0;
}

void plat_unmap(uint8_t *start, objid_t id, uint32_t rights)
{
    struct window *w;
    uint32_t row;

    (void)start;
    (void)rights;
    w = find_window(id);
    if (!w || w->count == 0 || --w->count > 0 || !w->deleted)
        return;
    row = w->row;
    window_drop(w);
    (void)!store_obj_release(host.pool->store, row);
}

static struct window *window_at(const void *addr)
{
    uintptr_t off = (uintptr_t)addr - (uintptr_t)host.arena;
    struct window *w;

    if (!host.arena || off >> TWZ_OBJ_SHIFT >= WINDOWS)
        return NULL;
    w = &host.window[off >> TWZ_OBJ_SHIFT];
    return objid_equal(w->id, TWZ_OBJID_NONE) ? NULL : w;
}

const uint8_t *window_page(uint32_t row, uint32_t page)
{
    bool look = host.pool && is_private() && page < TWZ_PAGE_RECORD;

    for (unsigned i = 0; look && i < WINDOWS; i++) {
        const struct window *w = &host.window[i];

        if (w->row == row && (w->rights & TWZ_WRITE) && !objid_equal(w->id, TWZ_OBJID_NONE))
            return window_start(w) + (uint64_t)page * TWZ_PAGE_SIZE;
    }
    return NULL;
}

int plat_id_at(const void *addr, objid_t *id, uint32_t *rights)
{
    const struct window *w = window_at(addr);

    if (!w)
        return -TWZ_ENOOBJ;
    *id = w->id;
    *rights = w->rights;
    return 0;
}

/* Make a page that exists writable: copy it if it is shared. */
static int touch_present(const struct window *w, const struct store_page *at)
{
    uint32_t frame;
    int err;

    if (at->flags & STORE_FLAG_READONLY)
        return -TWZ_EDENIED;
    if (at->state == STORE_POISONED)
        return -TWZ_EPOISON;
    if (at->state == STORE_PRESENT)
        return 0;
    if (at->state != STORE_SHARED)
        return -TWZ_EFAULT;
    err = store_page_break_cow(host.pool->store, w->row, at->page, &frame);
    if (err < 0)
        return err;
    mark_changed(frame);
    return window_map(w, at->page, frame, 1, true);
}

static int touch_absent(const struct window *w, uint32_t page, uint32_t count)
{
    int err = store_page_add_many(host.pool->store, w->row, page, count, NULL, NULL);

    for (uint32_t i = 0; err >= 0 && is_private() && i < count; i++) {
        struct store_page at;

        err = store_page_get(host.pool->store, w->row, page + i, &at);
        if (err >= 0)
            mark_changed(at.frame);
    }
    return err < 0 ? err : window_fill(w, page, page + count);
}

int plat_touch(const void *p, uint64_t len)
{
    const struct window *w = window_at(p);
    uint64_t off;
    uint32_t end;
    uint32_t page;

    if (!w || len == 0)
        return w ? 0 : -TWZ_EFAULT;
    off = (uintptr_t)p & (TWZ_OBJ_SIZE - 1);
    if (len > TWZ_OBJ_SIZE - off)
        return -TWZ_ERANGE;
    end = (uint32_t)((off + len + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE);
    page = (uint32_t)(off / TWZ_PAGE_SIZE);
    while (page < end) {
        struct store_page at = { .page = page };
        bool there = store_page_next(host.pool->store, w->row, &at) >= 0 && at.page < end;
        uint32_t absent = (there ? at.page : end) - page;
        int err = 0;

        if (absent > 0)
            err = touch_absent(w, page, absent);
        if (err >= 0 && there)
            err = touch_present(w, &at);
        if (err < 0)
            return err;
        page += absent + (there ? 1 : 0);
    }
    return 0;
}

int window_release_object(uint32_t row)
{
    struct window *w = find_window(store_obj_id_of(host.pool->store, row));

    if (w && w->count > 0) {
        w->deleted = true;
        return 0;
    }
    if (w)
        window_drop(w);
    return store_obj_release(host.pool->store, row);
}
