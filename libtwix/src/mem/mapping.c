/* SPDX-License-Identifier: MIT */
/* The table of file mappings; see mapping.h. A mapping that is cut in two has two entries; each has
 * its own references to the objects. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <twz/call.h>

#include "base/arena.h"
#include "base/copy.h"
#include "base/guard.h"
#include "base/process.h"
#include "mapping.h"

#define MAPPINGS 256u

static struct mapping mappings[MAPPINGS];

/* --- map -------------------------------------------------------------------------------------- */

static void delete_copy(struct mapping *m)
{
    (void)!twz_object_delete(&m->obj, TWZ_DELETE_DEFERRED);
    twz_object_release(&m->obj);
}

/* Copies the file's bytes to [from, to) of the private copy, and zeroes past the file's end. */
static int fill_copy(const struct mapping *m, uint8_t *from, uint8_t *to)
{
    const uint8_t *file = m->file.start + (from - m->obj.start);
    const uint8_t *end = (const uint8_t *)twz_object_base(&m->file) + twz_object_size(&m->file);
    uint64_t len = (uint64_t)(to - from);
    uint64_t avail = file >= end ? 0 : (uint64_t)(end - file);
    int err;

    if (avail > len)
        avail = len;
    err = copy_bytes(from, file, avail, m->file.start);
    return err < 0 || avail == len ? err : copy_zero(from + avail, len - avail, m->obj.start);
}

/* Creates m->obj: a volatile object with the file's pages of [off, off + len), at the same
 * offsets. */
static int create_copy(struct mapping *m, uint64_t off, uint64_t len)
{
    uint64_t size = twz_object_size(&m->file);
    uint64_t end = arena_pages(size) * TWZ_PAGE_SIZE;
    struct twz_copy range = { .src = m->file.id,
                              .src_off = TWZ_OBJ_BASE + off,
                              .dst_off = TWZ_OBJ_BASE + off };
    struct twz_create create = { .perms = twz_private_perms(), .tie = process.view };
    uint8_t *base;
    int err;

    if (off < end) {
        range.len = len < end - off ? len : end - off;
        create.sources = (uint64_t)(uintptr_t)&range;
        create.source_size = sizeof(struct twz_copy);
        create.nsources = 1;
    }
    err = err_linux(twz_object_create(&m->obj, &create));
    if (err == -ENOENT) { /* the file was deleted, so its ID names nothing */
        create.nsources = 0;
        err = err_linux(twz_object_create(&m->obj, &create));
    }
    if (err < 0)
        return err;
    base = twz_object_base(&m->obj);
    if (range.len && !create.nsources)
        err = fill_copy(m, base + off, base + off + range.len);
    else if (off <= size && size < end && end - off <= len)
        err = copy_zero(base + size, end - size, m->obj.start);
    if (err < 0)
        delete_copy(m);
    return err;
}

static int map_private(struct mapping *m, const struct file *f, uint64_t off, uint64_t len)
{
    int err = err_linux(twz_object_init_guid(&m->file, f->obj.id, f->obj.rights));

    if (err < 0)
        return err;
    err = create_copy(m, off, len);
    if (err < 0) {
        twz_object_release(&m->file);
        m->file.start = NULL;
    }
    return err;
}

/* Opens the object that the mapping shows, and fills in the entry. Returns the address or an
 * error. */
static int64_t map_object(struct mapping *m, const struct file *f, uint64_t off, uint64_t len,
                          uint32_t prot, bool shared)
{
    uint32_t rights = TWZ_READ;
    int64_t ret;

    if (prot & PROT_WRITE)
        rights |= TWZ_WRITE;
    if (prot & PROT_EXEC)
        rights |= TWZ_EXEC;
    if (!shared && (prot & PROT_WRITE))
        ret = map_private(m, f, off, len);
    else
        ret = err_linux(twz_object_init_guid(&m->obj, f->obj.id, rights));
    if (ret < 0)
        return ret;
    m->addr = m->obj.start + TWZ_OBJ_BASE + off; /* last: a fault before leaves the entry free */
    m->len = len;
    m->shared = shared && (prot & PROT_WRITE);
    return (int64_t)(uintptr_t)m->addr;
}

/* Checks whether mmap may map the file with this protection. Returns 0, -ENODEV or -EACCES. */
static int check_access(const struct file *f, uint32_t prot, bool shared)
{
    uint32_t access = f->access & O_ACCMODE;

    if (f->kind != FILE_REGULAR)
        return -ENODEV;
    if (access == O_WRONLY || (shared && (prot & PROT_WRITE) && access != O_RDWR))
        return -EACCES;
    return (prot & PROT_WRITE) && (prot & PROT_EXEC) ? -EACCES : 0;
}

static struct mapping *find_free_entry(void)
{
    for (unsigned i = 0; i < MAPPINGS; i++)
        if (!mappings[i].addr)
            return &mappings[i];
    return NULL;
}

static int64_t map_guarded(struct mapping *m, const struct file *f, uint64_t off, uint64_t len,
                           uint32_t prot, bool shared)
{
    return GUARDED(map_object(m, f, off, len, prot, shared));
}

int64_t mapping_new(const struct file *f, uint64_t off, uint64_t len, uint32_t prot, bool shared)
{
    struct mapping *m = find_free_entry();
    int64_t ret = check_access(f, prot, shared);

    if (ret < 0)
        return ret;
    len = len > TWZ_OBJ_DATA_MAX ? len : arena_pages(len) * TWZ_PAGE_SIZE;
    if (!m || off > TWZ_OBJ_DATA_MAX || len > TWZ_OBJ_DATA_MAX - off)
        return -ENOMEM;
    return map_guarded(m, f, off, len, prot, shared);
}

/* --- unmap ------------------------------------------------------------------------------------ */

struct mapping *mapping_of(const void *p)
{
    for (unsigned i = 0; i < MAPPINGS; i++) {
        struct mapping *m = &mappings[i];

        if (m->addr && (const uint8_t *)p >= m->addr && (const uint8_t *)p < m->addr + m->len)
            return m;
    }
    return NULL;
}

/* A deleted file need not be durable: -ENOENT is no error. */
int mapping_flush(const struct mapping *m)
{
    uint64_t off = (uint64_t)(uintptr_t)m->addr & (TWZ_OBJ_SIZE - 1);
    int err = err_linux(twz_sys_obj_range(m->obj.id, TWZ_RANGE_PERSIST, off, m->len));

    return err == -ENOENT ? 0 : err;
}

/* Splits m at `at`: the part from `at` on becomes a new entry. */
static int split_mapping(struct mapping *m, uint8_t *at)
{
    struct mapping *n = find_free_entry();
    struct mapping rest = *m;

    if (!n || twz_object_init_guid(&rest.obj, m->obj.id, m->obj.rights) < 0)
        return -ENOMEM;
    if (rest.obj.start != m->obj.start ||
        (m->file.start && twz_object_init_guid(&rest.file, m->file.id, m->file.rights) < 0)) {
        twz_object_release(&rest.obj);
        return -ENOMEM;
    }
    rest.addr = at;
    rest.len = (uint64_t)(m->addr + m->len - at);
    m->len -= rest.len;
    *n = rest;
    return 0;
}

/* Frees an entry. The last part of a private copy deletes the copy. */
static void free_mapping(struct mapping *m)
{
    unsigned parts = 0;

    for (unsigned i = 0; i < MAPPINGS; i++)
        parts += mappings[i].addr && mappings[i].obj.start == m->obj.start;
    if (m->file.start && parts == 1)
        delete_copy(m);
    else
        twz_object_release(&m->obj);
    if (m->file.start)
        twz_object_release(&m->file);
    *m = (struct mapping){ 0 };
}

/* Unmaps [from, to), which must lie within m. */
static int unmap_part(struct mapping *m, uint8_t *from, uint8_t *to)
{
    uint8_t *end = m->addr + m->len;
    int err = 0;

    if (from > m->addr && to < end)
        err = split_mapping(m, to);
    if (err == 0 && m->shared)
        err = mapping_flush(m);
    if (err < 0)
        return err;
    if (from > m->addr) {
        m->len = (uint64_t)(from - m->addr);
    } else if (to < end) {
        m->addr = to;
        m->len = (uint64_t)(end - to);
    } else {
        free_mapping(m);
    }
    return 0;
}

/* Returns the mapping that is exactly [at, end), else a mapping that contains `at`, else the first
 * one that starts before `end`, or NULL. */
static struct mapping *mapping_from(const uint8_t *at, const uint8_t *end)
{
    struct mapping *next = mapping_of(at);

    for (unsigned i = 0; i < MAPPINGS; i++) {
        struct mapping *m = &mappings[i];

        if (!m->addr)
            continue;
        if (m->addr == at && m->addr + m->len == end)
            return m;
        if (m->addr > at && m->addr < end && (!next || m->addr < next->addr))
            next = m;
    }
    return next;
}

int mapping_unmap(uint8_t *at, uint8_t *end)
{
    struct mapping *m;
    int err = 0;

    while (err == 0 && at < end && (m = mapping_from(at, end))) {
        uint8_t *from = m->addr > at ? m->addr : at;
        uint8_t *to = m->addr + m->len < end ? m->addr + m->len : end;

        err = unmap_part(m, from, to);
        at = to;
    }
    return err;
}

/* --- resize ----------------------------------------------------------------------------------- */

static int64_t fill_guarded(const struct mapping *m, uint8_t *from, uint8_t *to)
{
    return GUARDED(twz_guard_watch(m->file.start), fill_copy(m, from, to));
}

int64_t mapping_resize(struct mapping *m, uint64_t oldlen, uint64_t newlen)
{
    uint64_t off = (uint64_t)(m->addr - m->obj.start) - TWZ_OBJ_BASE;
    uint8_t *end = m->addr + m->len, *to = m->addr + newlen;
    int64_t ret = 0;

    if (oldlen != m->len)
        return -EFAULT;
    if (newlen > TWZ_OBJ_DATA_MAX - off || (to > end && mapping_from(end, to)))
        return -ENOMEM;
    if (to < end && m->shared)
        ret = mapping_flush(m);
    else if (to > end && m->file.start)
        ret = fill_guarded(m, end, to);
    if (ret < 0)
        return ret;
    m->len = newlen;
    return (int64_t)(uintptr_t)m->addr;
}

/* --- durability ------------------------------------------------------------------------------- */

int mapping_flush_object(objid_t id)
{
    int err = 0;

    for (unsigned i = 0; i < MAPPINGS && err == 0; i++)
        if (mappings[i].addr && mappings[i].shared && objid_equal(mappings[i].obj.id, id))
            err = mapping_flush(&mappings[i]);
    return err;
}

void mapping_flush_all(void)
{
    for (unsigned i = 0; i < MAPPINGS; i++)
        if (mappings[i].addr && mappings[i].shared)
            (void)mapping_flush(&mappings[i]);
}
