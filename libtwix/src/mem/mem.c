/* SPDX-License-Identifier: MIT */
/*
 * Anonymous memory, and the calls of mmap's family. mem_lock guards the arenas and the table of
 * file mappings (mapping.c). The lock is held across kernel calls that create objects and discard
 * pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <twz/call.h>
#include <twz/syscall.h>

#include "base/arena.h"
#include "base/copy.h"
#include "base/err.h"
#include "base/linux.h"
#include "base/lock.h"
#include "base/process.h"
#include "file/fd.h"
#include "mapping.h"
#include "mem.h"

#define ARENAS    32u
#define ADDRESSES (1ull << 47) /* bytes of a program's address space */

/* The objects of anonymous memory. The next object is created when no earlier one has the pages. */
static struct anon {
    struct arena pages;
    twzobj obj;
} arenas[ARENAS];

static struct twz_mutex mem_lock;

/* --- anonymous memory ------------------------------------------------------------------------- */

static int create_arena(struct anon *a)
{
    struct twz_create create = { .perms = twz_private_perms(), .tie = process.view };
    int err = err_linux(twz_object_create(&a->obj, &create));

    if (err == 0)
        arena_init(&a->pages);
    return err;
}

/* Allocates pages from the first arena that has them. The caller must hold mem_lock. */
static void *alloc_pages(uint32_t count)
{
    for (unsigned i = 0; i < ARENAS; i++) {
        struct anon *a = &arenas[i];
        uint32_t page;

        if (!a->pages.hint && create_arena(a) < 0)
            return NULL;
        page = arena_alloc(&a->pages, count);
        if (page)
            return a->obj.start + (uint64_t)page * TWZ_PAGE_SIZE;
    }
    return NULL;
}

void *mem_alloc(uint64_t len)
{
    void *p = NULL;

    if (len == 0 || len > TWZ_OBJ_DATA_MAX)
        return NULL;
    lock_acquire(&mem_lock);
    p = alloc_pages((uint32_t)arena_pages(len));
    lock_release(&mem_lock);
    return p;
}

/* Returns the arena that contains [p, p + len), or NULL. Sets *page to the number of p's page. */
static struct anon *find_arena(const void *p, uint64_t len, uint32_t *page)
{
    uint64_t off = (uint64_t)(uintptr_t)p & (TWZ_OBJ_SIZE - 1);

    for (unsigned i = 0; i < ARENAS && arenas[i].pages.hint; i++) {
        if (arenas[i].obj.start != (const uint8_t *)p - off)
            continue;
        *page = (uint32_t)(off / TWZ_PAGE_SIZE);
        return len <= TWZ_OBJ_SIZE && arena_has_range(*page, (uint32_t)arena_pages(len))
                   ? &arenas[i]
                   : NULL;
    }
    return NULL;
}

static int discard_pages(const struct anon *a, uint32_t page, uint32_t count)
{
    return err_linux(twz_sys_obj_range(a->obj.id, TWZ_RANGE_DISCARD, (uint64_t)page * TWZ_PAGE_SIZE,
                                       (uint64_t)count * TWZ_PAGE_SIZE));
}

static int free_pages(struct anon *a, uint32_t page, uint32_t count)
{
    int err = discard_pages(a, page, count);

    if (err == 0)
        arena_free(&a->pages, page, count);
    return err;
}

void mem_free(void *p, uint64_t len)
{
    uint32_t page;
    struct anon *a;

    lock_acquire(&mem_lock);
    a = find_arena(p, len, &page);
    if (a)
        (void)free_pages(a, page, (uint32_t)arena_pages(len));
    lock_release(&mem_lock);
}

/* Serves MAP_FIXED, which works only inside one arena. The pages become zero. */
static int64_t map_fixed(void *addr, uint64_t len)
{
    uint32_t page, count = (uint32_t)arena_pages(len);
    struct anon *a = find_arena(addr, len, &page);
    int err;

    if (!a)
        return -ENOMEM;
    err = discard_pages(a, page, count);
    if (err < 0)
        return err;
    arena_free(&a->pages, page, count);
    (void)arena_alloc_at(&a->pages, page, count);
    return (int64_t)(uintptr_t)addr;
}

static int64_t map_anonymous(void *addr, uint64_t len, uint32_t flags)
{
    int64_t ret;
    void *p;

    if (flags & MAP_FIXED) {
        lock_acquire(&mem_lock);
        ret = map_fixed(addr, len);
        lock_release(&mem_lock);
        return ret;
    }
    p = mem_alloc(len);
    return p ? (int64_t)(uintptr_t)p : -ENOMEM;
}

/* --- files ------------------------------------------------------------------------------------ */

static int64_t map_descriptor(int fd, uint64_t off, uint64_t len, uint32_t prot, uint32_t flags)
{
    struct file *f = fd_get(fd);
    int64_t ret;

    if (!f)
        return -EBADF;
    lock_acquire(&mem_lock);
    ret = mapping_new(f, off, len, prot, (flags & MAP_TYPE) != MAP_PRIVATE);
    lock_release(&mem_lock);
    file_put(f);
    return ret;
}

int mem_flush(objid_t id)
{
    int err;

    lock_acquire(&mem_lock);
    err = mapping_flush_object(id);
    lock_release(&mem_lock);
    return err;
}

void mem_flush_all(void)
{
    mapping_flush_all();
}

/* --- the calls -------------------------------------------------------------------------------- */

int64_t linux_mmap(void *addr, uint64_t len, uint32_t prot, uint32_t flags, int fd, int64_t off)
{
    uint32_t type = flags & MAP_TYPE;

    if (len == 0 || off < 0 || off % TWZ_PAGE_SIZE)
        return -EINVAL;
    if ((flags & MAP_FIXED) && (uintptr_t)addr % TWZ_PAGE_SIZE)
        return -EINVAL;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (flags & MAP_ANONYMOUS)
        return prot & PROT_EXEC ? -EACCES : map_anonymous(addr, len, flags);
    return flags & MAP_FIXED ? -ENOMEM : map_descriptor(fd, (uint64_t)off, len, prot, flags);
}

/* Returns whether [addr, addr + len) overlaps an arena. */
static bool overlaps_arena(const uint8_t *addr, uint64_t len)
{
    for (unsigned i = 0; i < ARENAS && arenas[i].pages.hint; i++)
        if (arenas[i].obj.start < addr + len && addr < arenas[i].obj.start + TWZ_OBJ_SIZE)
            return true;
    return false;
}

int64_t linux_munmap(void *addr, uint64_t len)
{
    uint32_t page;
    struct anon *a;
    int err;

    if (len == 0 || (uintptr_t)addr % TWZ_PAGE_SIZE || len > ADDRESSES ||
        (uintptr_t)addr > ADDRESSES - len)
        return -EINVAL;
    len = arena_pages(len) * TWZ_PAGE_SIZE;
    lock_acquire(&mem_lock);
    a = find_arena(addr, len, &page);
    if (a)
        err = free_pages(a, page, (uint32_t)(len / TWZ_PAGE_SIZE));
    else if (overlaps_arena(addr, len))
        err = -EINVAL;
    else
        err = mapping_unmap(addr, (uint8_t *)addr + len);
    lock_release(&mem_lock);
    return err;
}

int64_t linux_mprotect(void *addr, uint64_t len, uint32_t prot)
{
    struct mapping *m;
    int err = 0;

    (void)len;
    if ((uintptr_t)addr % TWZ_PAGE_SIZE)
        return -EINVAL;
    lock_acquire(&mem_lock);
    m = mapping_of(addr);
    if (m && (prot & PROT_WRITE) && !(m->obj.rights & TWZ_WRITE))
        err = -EACCES;
    if ((prot & PROT_EXEC) && !(m && (m->obj.rights & TWZ_EXEC)))
        err = -EACCES;
    lock_release(&mem_lock);
    return err;
}

/* Serves mremap of anonymous memory. Grows the memory in place if the following pages are free,
 * else moves it. */
static int64_t remap_anonymous(struct anon *a, uint32_t page, void *addr, uint64_t oldlen,
                               uint64_t newlen, uint32_t flags)
{
    uint32_t old = (uint32_t)arena_pages(oldlen), new = (uint32_t)arena_pages(newlen);
    void *to;

    if (new < old)
        return free_pages(a, page + new, old - new) < 0 ? -ENOMEM : (int64_t)(uintptr_t)addr;
    if (new == old || arena_alloc_at(&a->pages, page + old, new - old))
        return (int64_t)(uintptr_t)addr;
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    to = alloc_pages(new);
    if (!to)
        return -ENOMEM;
    copy_raw(to, addr, (uint64_t)old * TWZ_PAGE_SIZE);
    (void)free_pages(a, page, old);
    return (int64_t)(uintptr_t)to;
}

int64_t linux_mremap(void *addr, uint64_t oldlen, uint64_t newlen, uint32_t flags, void *to)
{
    struct mapping *m;
    struct anon *a;
    uint32_t page;
    int64_t ret = -EFAULT;

    (void)to;
    if (newlen == 0 || (flags & ~(uint32_t)MREMAP_MAYMOVE))
        return -EINVAL;
    if (newlen > TWZ_OBJ_DATA_MAX)
        return -ENOMEM;
    lock_acquire(&mem_lock);
    a = find_arena(addr, oldlen, &page);
    m = a ? NULL : mapping_of(addr);
    if (a)
        ret = remap_anonymous(a, page, addr, oldlen, newlen, flags);
    else if (m && m->addr == addr)
        ret = mapping_resize(m, arena_pages(oldlen) * TWZ_PAGE_SIZE,
                             arena_pages(newlen) * TWZ_PAGE_SIZE);
    lock_release(&mem_lock);
    return ret;
}

int64_t linux_msync(void *addr, uint64_t len, uint32_t flags)
{
    struct mapping *m;
    int err = 0;

    (void)len;
    if ((uintptr_t)addr % TWZ_PAGE_SIZE ||
        (flags & ~(uint32_t)(MS_ASYNC | MS_SYNC | MS_INVALIDATE)))
        return -EINVAL;
    lock_acquire(&mem_lock);
    m = mapping_of(addr);
    if (m && m->shared)
        err = mapping_flush(m);
    lock_release(&mem_lock);
    return err;
}

int64_t linux_madvise(void *addr, uint64_t len, int64_t advice)
{
    struct anon *a;
    uint32_t page;
    int err = 0;

    if ((uintptr_t)addr % TWZ_PAGE_SIZE)
        return -EINVAL;
    if (advice != MADV_DONTNEED || len == 0)
        return 0;
    lock_acquire(&mem_lock);
    a = find_arena(addr, len, &page);
    if (a)
        err = discard_pages(a, page, (uint32_t)arena_pages(len));
    lock_release(&mem_lock);
    return err;
}

/* There is no heap after the data. The C library uses mmap instead. */
int64_t linux_brk(void *addr)
{
    (void)addr;
    return 0;
}
