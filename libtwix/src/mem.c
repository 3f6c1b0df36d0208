/* SPDX-License-Identifier: MIT */
/*
 * mmap and its kin. mem_lock guards arenas and the table of file mappings; it is held over calls
 * that create objects or give pages back, never while a file is read.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <twz/call.h>
#include <twz/syscall.h>

#include "arena.h"
#include "copy.h"
#include "err.h"
#include "fd.h"
#include "linux.h"
#include "lock.h"
#include "mem.h"
#include "process.h"

#define ARENAS   32u
#define MAPPINGS 256u

static struct space {
    struct arena pages;
    twzobj obj;
} spaces[ARENAS];

static struct mapping {
    uint8_t *addr; /* NULL: free */
    uint64_t len;
    twzobj obj;
    uint32_t shared;
} mappings[MAPPINGS];

static struct twz_mutex mem_lock;

static uint64_t pages_of(uint64_t len)
{
    return (len + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE;
}

/* --- anonymous memory ------------------------------------------------------------------------- */

static int64_t space_open(struct space *s)
{
    struct twz_create create = { .perms = TWZ_READ | TWZ_WRITE | TWZ_DEL, .tie = process.view };
    int64_t r = err_linux(twz_object_create(&s->obj, &create));

    if (r == 0)
        arena_init(&s->pages);
    return r;
}

static void *alloc_locked(uint32_t count)
{
    for (unsigned i = 0; i < ARENAS; i++) {
        struct space *s = &spaces[i];
        uint32_t page;

        if (!s->pages.hint && space_open(s) < 0)
            return NULL;
        page = arena_take(&s->pages, count);
        if (page)
            return s->obj.start + (uint64_t)page * TWZ_PAGE_SIZE;
    }
    return NULL;
}

void *mem_alloc(uint64_t len)
{
    void *p = NULL;

    if (len == 0 || len > TWZ_OBJ_DATA_MAX)
        return NULL;
    lock_take(&mem_lock);
    p = alloc_locked((uint32_t)pages_of(len));
    lock_drop(&mem_lock);
    return p;
}

/* The arena that has all of [p, p + len), and the first page there; NULL: none. */
static struct space *space_of(const void *p, uint64_t len, uint32_t *page)
{
    uint64_t off = (uint64_t)(uintptr_t)p & (TWZ_OBJ_SIZE - 1);

    for (unsigned i = 0; i < ARENAS && spaces[i].pages.hint; i++) {
        if (spaces[i].obj.start != (const uint8_t *)p - off)
            continue;
        *page = (uint32_t)(off / TWZ_PAGE_SIZE);
        return len <= TWZ_OBJ_SIZE && arena_inside(*page, (uint32_t)pages_of(len)) ? &spaces[i]
                                                                                   : NULL;
    }
    return NULL;
}

static int64_t discard(const struct space *s, uint32_t page, uint32_t count)
{
    return err_linux(twz_sys_obj_range(s->obj.id, TWZ_RANGE_DISCARD, (uint64_t)page * TWZ_PAGE_SIZE,
                                       (uint64_t)count * TWZ_PAGE_SIZE));
}

static int64_t free_locked(struct space *s, uint32_t page, uint32_t count)
{
    int64_t r = discard(s, page, count);

    if (r == 0)
        arena_give(&s->pages, page, count);
    return r;
}

void mem_free(void *p, uint64_t len)
{
    uint32_t page;
    struct space *s;

    lock_take(&mem_lock);
    s = space_of(p, len, &page);
    if (s)
        (void)free_locked(s, page, (uint32_t)pages_of(len));
    lock_drop(&mem_lock);
}

/* MAP_FIXED: only over what an arena has; what was there is gone. */
static int64_t map_fixed(void *addr, uint64_t len)
{
    uint32_t page, count = (uint32_t)pages_of(len);
    struct space *s = space_of(addr, len, &page);
    int64_t r;

    if (!s)
        return -ENOMEM;
    r = discard(s, page, count);
    if (r < 0)
        return r;
    arena_give(&s->pages, page, count);
    (void)arena_take_at(&s->pages, page, count);
    return (int64_t)(uintptr_t)addr;
}

static int64_t map_anonymous(void *addr, uint64_t len, uint32_t flags)
{
    int64_t r;
    void *p;

    if (flags & MAP_FIXED) {
        lock_take(&mem_lock);
        r = map_fixed(addr, len);
        lock_drop(&mem_lock);
        return r;
    }
    p = mem_alloc(len);
    return p ? (int64_t)(uintptr_t)p : -ENOMEM;
}

/* --- files ------------------------------------------------------------------------------------ */

/* A volatile object with the file's pages of [off, off + len) at the same offsets. */
static int64_t private_copy(const twzobj *file, uint64_t off, uint64_t len, twzobj *copy)
{
    uint64_t size = twz_object_size(file);
    uint64_t end = pages_of(size) * TWZ_PAGE_SIZE;
    struct twz_copy range = { .src = file->id,
                              .src_off = TWZ_OBJ_BASE + off,
                              .dst_off = TWZ_OBJ_BASE + off };
    struct twz_create create = { .perms = TWZ_READ | TWZ_WRITE | TWZ_EXEC | TWZ_DEL,
                                 .tie = process.view };
    int64_t r;

    if (off < end) {
        range.len = len < end - off ? len : end - off;
        create.sources = (uint64_t)(uintptr_t)&range;
        create.nsources = 1;
    }
    r = err_linux(twz_object_create(copy, &create));
    if (r == 0 && off <= size && size < end && end - off <= len)
        r = copy_zero(copy->start + TWZ_OBJ_BASE + size, end - size, copy->start);
    return r;
}

static int64_t map_object(struct mapping *m, const struct file *f, uint64_t off, uint64_t len,
                          uint32_t prot, uint32_t shared)
{
    uint32_t rights = TWZ_READ;
    int64_t r;

    if (prot & PROT_WRITE)
        rights |= TWZ_WRITE;
    if (prot & PROT_EXEC)
        rights |= TWZ_EXEC;
    if (!shared && (prot & PROT_WRITE))
        r = private_copy(&f->obj, off, len, &m->obj);
    else
        r = err_linux(twz_object_init_guid(&m->obj, f->obj.id, rights));
    if (r < 0)
        return r;
    m->addr = m->obj.start + TWZ_OBJ_BASE + off;
    m->len = pages_of(len) * TWZ_PAGE_SIZE;
    m->shared = shared && (prot & PROT_WRITE);
    return (int64_t)(uintptr_t)m->addr;
}

static int64_t may_map(const struct file *f, uint32_t prot, uint32_t shared)
{
    uint32_t access = f->access & O_ACCMODE;

    if (f->kind != FILE_REGULAR)
        return -ENODEV;
    if (access == O_WRONLY || (shared && (prot & PROT_WRITE) && access != O_RDWR))
        return -EACCES;
    return (prot & PROT_WRITE) && (prot & PROT_EXEC) ? -EACCES : 0;
}

static int64_t map_file(int fd, uint64_t off, uint64_t len, uint32_t prot, uint32_t flags)
{
    uint32_t shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    struct mapping *m = NULL;
    struct file *f = fd_get(fd);
    int64_t r;

    if (!f)
        return -EBADF;
    r = may_map(f, prot, shared);
    if (r == 0 && (off > TWZ_OBJ_DATA_MAX || len > TWZ_OBJ_DATA_MAX - off))
        r = -ENOMEM;
    if (r == 0) {
        lock_take(&mem_lock);
        for (unsigned i = 0; i < MAPPINGS && !m; i++)
            if (!mappings[i].addr)
                m = &mappings[i];
        r = m ? map_object(m, f, off, len, prot, shared) : -ENOMEM;
        lock_drop(&mem_lock);
    }
    file_put(f);
    return r;
}

/* The mapping that has p; NULL: none. */
static struct mapping *mapping_of(const void *p)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        struct mapping *m = &mappings[i];

        if (m->addr && (const uint8_t *)p >= m->addr && (const uint8_t *)p < m->addr + m->len)
            return m;
    }
    return NULL;
}

/* A file that lost its last name is gone at a power cut anyway. */
static int64_t flush(const struct mapping *m)
{
    uint64_t off = (uint64_t)(uintptr_t)m->addr & (TWZ_OBJ_SIZE - 1);
    int64_t r = err_linux(twz_sys_obj_range(m->obj.id, TWZ_RANGE_PERSIST, off, m->len));

    return r == -ENOENT ? 0 : r;
}

/* Unmap [p, p + len) of m; only a mapping's ends can be cut off. */
static int64_t unmap_file(struct mapping *m, uint8_t *p, uint64_t len)
{
    int64_t r = m->shared ? flush(m) : 0;

    if (p == m->addr && len >= m->len) {
        twz_object_release(&m->obj);
        m->addr = NULL;
    } else if (p == m->addr) {
        m->addr += len;
        m->len -= len;
    } else if (p + len >= m->addr + m->len) {
        m->len = (uint64_t)(p - m->addr);
    }
    return r;
}

int64_t mem_flush(objid_t id)
{
    int64_t r = 0;

    lock_take(&mem_lock);
    for (unsigned i = 0; i < MAPPINGS && r == 0; i++)
        if (mappings[i].addr && mappings[i].shared && twz_objid_equal(mappings[i].obj.id, id))
            r = flush(&mappings[i]);
    lock_drop(&mem_lock);
    return r;
}

void mem_flush_all(void)
{
    for (unsigned i = 0; i < MAPPINGS; i++)
        if (mappings[i].addr && mappings[i].shared)
            (void)flush(&mappings[i]);
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
    return flags & MAP_FIXED ? -ENOMEM : map_file(fd, (uint64_t)off, len, prot, flags);
}

int64_t linux_munmap(void *addr, uint64_t len)
{
    uint32_t page;
    struct space *s;
    struct mapping *m;
    int64_t r = 0;

    if (len == 0 || (uintptr_t)addr % TWZ_PAGE_SIZE)
        return -EINVAL;
    len = pages_of(len) * TWZ_PAGE_SIZE;
    lock_take(&mem_lock);
    s = space_of(addr, len, &page);
    m = s ? NULL : mapping_of(addr);
    if (s)
        r = free_locked(s, page, (uint32_t)(len / TWZ_PAGE_SIZE));
    else if (m)
        r = unmap_file(m, addr, len);
    lock_drop(&mem_lock);
    return r;
}

int64_t linux_mprotect(void *addr, uint64_t len, uint32_t prot)
{
    struct mapping *m;
    int64_t r = 0;

    (void)len;
    if ((uintptr_t)addr % TWZ_PAGE_SIZE)
        return -EINVAL;
    lock_take(&mem_lock);
    m = mapping_of(addr);
    if (m && (prot & PROT_WRITE) && !(m->obj.rights & TWZ_WRITE))
        r = -EACCES;
    if ((prot & PROT_EXEC) && !(m && (m->obj.rights & TWZ_EXEC)))
        r = -EACCES;
    lock_drop(&mem_lock);
    return r;
}

/* In place where the pages behind are free, else moved. */
static int64_t remap_anonymous(struct space *s, uint32_t page, void *addr, uint64_t oldlen,
                               uint64_t newlen, uint32_t flags)
{
    uint32_t old = (uint32_t)pages_of(oldlen), new = (uint32_t)pages_of(newlen);
    void *to;

    if (new < old)
        return free_locked(s, page + new, old - new) < 0 ? -ENOMEM : (int64_t)(uintptr_t)addr;
    if (new == old || arena_take_at(&s->pages, page + old, new - old))
        return (int64_t)(uintptr_t)addr;
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    to = alloc_locked(new);
    if (!to)
        return -ENOMEM;
    copy_raw(to, addr, (uint64_t)old * TWZ_PAGE_SIZE);
    (void)free_locked(s, page, old);
    return (int64_t)(uintptr_t)to;
}

static int64_t remap_file(struct mapping *m, uint64_t newlen)
{
    uint64_t off = ((uint64_t)(uintptr_t)m->addr & (TWZ_OBJ_SIZE - 1)) - TWZ_OBJ_BASE;

    if (newlen > TWZ_OBJ_DATA_MAX - off)
        return -ENOMEM;
    m->len = pages_of(newlen) * TWZ_PAGE_SIZE;
    return (int64_t)(uintptr_t)m->addr;
}

int64_t linux_mremap(void *addr, uint64_t oldlen, uint64_t newlen, uint32_t flags, void *to)
{
    struct mapping *m;
    struct space *s;
    uint32_t page;
    int64_t r = -EFAULT;

    (void)to;
    if (newlen == 0 || (flags & ~(uint32_t)MREMAP_MAYMOVE))
        return -EINVAL;
    if (newlen > TWZ_OBJ_DATA_MAX)
        return -ENOMEM;
    lock_take(&mem_lock);
    s = space_of(addr, oldlen, &page);
    m = s ? NULL : mapping_of(addr);
    if (s)
        r = remap_anonymous(s, page, addr, oldlen, newlen, flags);
    else if (m && m->addr == addr)
        r = remap_file(m, newlen);
    lock_drop(&mem_lock);
    return r;
}

int64_t linux_msync(void *addr, uint64_t len, uint32_t flags)
{
    struct mapping *m;
    int64_t r = 0;

    (void)len;
    if ((uintptr_t)addr % TWZ_PAGE_SIZE ||
        (flags & ~(uint32_t)(MS_ASYNC | MS_SYNC | MS_INVALIDATE)))
        return -EINVAL;
    lock_take(&mem_lock);
    m = mapping_of(addr);
    if (m && m->shared)
        r = flush(m);
    lock_drop(&mem_lock);
    return r;
}

int64_t linux_madvise(void *addr, uint64_t len, int64_t advice)
{
    struct space *s;
    uint32_t page;
    int64_t r = 0;

    if ((uintptr_t)addr % TWZ_PAGE_SIZE)
        return -EINVAL;
    if (advice != MADV_DONTNEED || len == 0)
        return 0;
    lock_take(&mem_lock);
    s = space_of(addr, len, &page);
    if (s)
        r = discard(s, page, (uint32_t)pages_of(len));
    lock_drop(&mem_lock);
    return r;
}

/* There is no heap that grows behind the data: the C library then uses mmap. */
int64_t linux_brk(void *addr)
{
    (void)addr;
    return 0;
}
