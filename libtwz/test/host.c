/* SPDX-License-Identifier: MIT */
/* The test platform: see host.h. One thread only. IDs count up, so that runs repeat. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../src/platform.h"
#include "host_inside.h"

struct host_object host_objs[OBJECTS];
size_t host_obj_count;
int host_is_quiet;

static uint64_t next_id = 1;
static uint64_t resume = 1;
static objid_t root;
static int64_t last_error;
static int ctl_error, touch_error;
static uintptr_t touch_at; /* number of the page that fails; 0: each does */
static void (*ctl_before)(void);

_Noreturn void host_fail(const char *file, int line, const char *what)
{
    if (!host_is_quiet)
        fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
    _exit(1);
}

/* --- objects ---------------------------------------------------------------------------------- */

static struct host_object *object_of(objid_t id)
{
    for (size_t i = 0; i < host_obj_count; i++) {
        if (host_objs[i].live && objid_equal(host_objs[i].id, id))
            return &host_objs[i];
    }
    return NULL;
}

struct host_object *host_object_at(const void *p)
{
    for (size_t i = 0; i < host_obj_count; i++) {
        if ((uintptr_t)p - (uintptr_t)host_objs[i].start < TWZ_OBJ_SIZE)
            return &host_objs[i];
    }
    return NULL;
}

static uint8_t *reserve(int prot)
{
    uint8_t *p =
        mmap(NULL, 2 * TWZ_OBJ_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uintptr_t at = ((uintptr_t)p + TWZ_OBJ_SIZE - 1) & ~(uintptr_t)(TWZ_OBJ_SIZE - 1);

    CHECK(p != MAP_FAILED);
    munmap(p, at - (uintptr_t)p);
    munmap((uint8_t *)at + TWZ_OBJ_SIZE, TWZ_OBJ_SIZE - (at - (uintptr_t)p));
    CHECK(mprotect((void *)at, TWZ_OBJ_SIZE, prot) == 0);
    return (uint8_t *)at;
}

void host_reset(void)
{
    for (size_t i = 0; i < host_obj_count; i++) {
        munmap(host_objs[i].start, TWZ_OBJ_SIZE);
        munmap(host_objs[i].disk, TWZ_OBJ_SIZE);
        free(host_objs[i].there);
        free(host_objs[i].pages);
    }
    host_obj_count = 0;
    next_id = 1;
    host_forget();
    root = TWZ_OBJID_NONE;
}

void host_root_set(objid_t id)
{
    root = id;
}

void host_ctl_fail(int error)
{
    ctl_error = error;
}

void host_touch_fail(int error)
{
    touch_error = error;
    touch_at = 0;
}

void host_touch_fail_at(const void *p, int error)
{
    touch_error = error;
    touch_at = (uintptr_t)p / TWZ_PAGE_SIZE;
}

void host_ctl_watch(void (*before)(void))
{
    ctl_before = before;
}

size_t host_objects(objid_t *ids, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < host_obj_count; i++) {
        if (host_objs[i].live && n++ < max)
            ids[n - 1] = host_objs[i].id;
    }
    return n;
}

int plat_obj_create(const struct twz_create *create, objid_t *id)
{
    struct host_object *o = &host_objs[host_obj_count];

    CHECK(host_obj_count < OBJECTS);
    if (!objid_is_none(create->witness) && !object_of(create->witness))
        return -TWZ_ENOOBJ;
    *o = (struct host_object){ .create = *create, .live = 1 };
    o->id = (objid_t){ 0x1000 + next_id * 0x9e3779b97f4a7c15ull, next_id };
    o->provisional = !objid_is_none(create->witness);
    o->start = reserve(PROT_READ);
    o->disk = reserve(PROT_READ | PROT_WRITE);
    o->there = calloc(TWZ_OBJ_PAGES, 1);
    CHECK(o->there);
    next_id++;
    host_obj_count++;
    *id = o->id;
    return 0;
}

int plat_obj_delete(objid_t id, uint64_t flags)
{
    struct host_object *o = object_of(id);

    (void)flags;
    if (!o)
        return -TWZ_ENOOBJ;
    o->live = 0;
    return 0;
}

int plat_obj_stat(objid_t id, struct twz_stat *stat)
{
    struct host_object *o = object_of(id);

    if (!o)
        return -TWZ_ENOOBJ;
    *stat = (struct twz_stat){ .id = id, .flags = TWZ_OBJ_PERSIST, .kuid = o->create.kuid };
    return 0;
}

void host_owner_set(objid_t id, objid_t kuid)
{
    object_of(id)->create.kuid = kuid;
}

int plat_obj_ctl(objid_t id, uint64_t op, uint64_t arg)
{
    struct host_object *o = object_of(id);
    void (*before)(void) = ctl_before;

    (void)arg;
    if (!o)
        return -TWZ_ENOOBJ;
    if (before) {
        ctl_before = NULL;
        before();
        ctl_before = before;
    }
    if (ctl_error)
        return ctl_error;
    if (op == TWZ_CTL_PERMANENT)
        o->provisional = 0;
    return 0;
}

int plat_map(objid_t id, uint32_t rights, uint8_t **start)
{
    struct host_object *o = object_of(id);

    (void)rights;
    CHECK(!objid_is_none(id)); /* the library must not ask for it */
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
    struct host_object *o = host_object_at(addr);

    if (!o)
        return -TWZ_ENOOBJ;
    *id = o->id;
    *rights = TWZ_READ | TWZ_WRITE;
    return 0;
}

static void page_add(struct host_object *o, uint32_t page)
{
    uint8_t *at = o->start + (size_t)page * TWZ_PAGE_SIZE;

    if ((o->page_count & (o->page_count - 1)) == 0) {
        size_t space = o->page_count ? 2ull * o->page_count : 1;

        o->pages = realloc(o->pages, space * sizeof(*o->pages));
        CHECK(o->pages);
    }
    o->pages[o->page_count++] = page;
    o->there[page] = 1;
    CHECK(mprotect(at, TWZ_PAGE_SIZE, PROT_READ | PROT_WRITE) == 0);
}

int plat_touch(const void *p, uint64_t len)
{
    struct host_object *o = host_object_at(p);
    uint64_t first, last;

    CHECK(o && len > 0);
    if (touch_error && (!touch_at || ((uintptr_t)p / TWZ_PAGE_SIZE <= touch_at &&
                                      ((uintptr_t)p + len - 1) / TWZ_PAGE_SIZE >= touch_at)))
        return touch_error;
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

bool plat_owner_is_alive(uint64_t owner)
{
    return owner == plat_owner();
}

void plat_wait(const uint64_t *word, uint64_t value, uint64_t ns)
{
    (void)word;
    (void)value;
    (void)ns;
    host_fail(__FILE__, __LINE__, "the only thread waits for itself");
}

void plat_wake(const uint64_t *word, uint64_t count)
{
    (void)word;
    (void)count;
}

void plat_pause(void) {}

int64_t *plat_error(void)
{
    return &last_error;
}

void plat_pointer_fault(const void *at, objid_t object, uint32_t reason, const void *caller)
{
    (void)at;
    (void)caller;
    (void)object;
    if (!host_is_quiet)
        fprintf(stderr, "pointer fault, reason %u\n", reason);
    _exit(99);
}

void host_quiet(int on)
{
    host_is_quiet = on;
}

/* --- death and reboot ------------------------------------------------------------------------- */

void host_new_owner(void)
{
    resume++;
}

void host_reboot(void)
{
    host_new_owner();
    for (size_t i = 0; i < host_obj_count; i++) {
        struct host_object *o = &host_objs[i];
        struct host_object *witness = object_of(o->create.witness);
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
