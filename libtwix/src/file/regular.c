/* SPDX-License-Identifier: MIT */
/*
 * Regular files. There is no cache and no dirty state: a write is durable when it returns.
 *
 * A file is one object. twz-obj can make a file of more than one object (meta.next). Such a file
 * has names and a length but cannot be opened: a program would take the first object for the whole
 * file.
 *
 * Invariants
 *   - Bytes at and past the length have no meaning. A call that moves the length past them must set
 *     them to zero first.
 *   - A call that changes the length must hold its lock (record_size_lock).
 *
 * A write that grows the file:
 *   step                                    durable before   after a crash
 *   1  zero the gap, copy the data, flush   2                the old length
 *   2  mtime, flush                         the return       the old length, perhaps with the time
 *   3  COMMIT: meta.size                    the return       the new length, with all its bytes
 *
 * A write inside the file has no commit: after a crash each aligned word of 8 bytes is the old one
 * or the new one. Another process may destroy the object, so each operation runs under a guard.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <twz/call.h>
#include <twz/persist.h>
#include <twz/ptr.h>
#include <twz/threads.h>
#include <unistd.h>

#include "base/copy.h"
#include "base/guard.h"
#include "base/times.h"
#include "regular.h"

/* Take the lock of the length. */
static struct twz_mutex *lock_size(const struct file *f)
{
    struct twz_mutex *lock = record_size_lock(&f->record, f->obj.id);

    twz_guard_watch(f->obj.start);
    lock_acquire_shared(lock);
    return lock;
}

/* --- zeroes ----------------------------------------------------------------------------------- */

/* Overwrites bytes [from, to) with zeroes. Durable at the next fence. */
static int zero_bytes(const twzobj *obj, uint64_t from, uint64_t to)
{
    uint8_t *base = twz_object_base(obj);
    int err;

    if (from == to)
        return 0;
    err = copy_zero(base + from, to - from, obj->start);
    if (err < 0)
        return err;
    twz_persist_flush(base + from, to - from);
    return 0;
}

/* Sets bytes [from, to) to zero: discards whole pages, overwrites the rest. Durable at the next
 * fence. */
static int zero_range(const twzobj *obj, uint64_t from, uint64_t to)
{
    uint64_t first = (from + TWZ_PAGE_SIZE - 1) & ~(uint64_t)(TWZ_PAGE_SIZE - 1);
    uint64_t last = to & ~(uint64_t)(TWZ_PAGE_SIZE - 1);
    int err;

    if (from >= to)
        return 0;
    if (first >= last)
        return zero_bytes(obj, from, to);
    err = zero_bytes(obj, from, first);
    if (err < 0)
        return err;
    err = err_linux(
        twz_sys_obj_range(obj->id, TWZ_RANGE_DISCARD, TWZ_OBJ_BASE + first, last - first));
    if (err == -ENOENT)
        err = zero_bytes(obj, first, last); /* the object was deleted, so its ID names nothing */
    return err < 0 ? err : zero_bytes(obj, last, to);
}

/* --- length ----------------------------------------------------------------------------------- */

/* Stores the length and the times, durable on return. The caller must have made the bytes up to
 * `size` durable. */
static int commit_size(struct file *f, uint64_t size)
{
    uint64_t now = twz_clock_wall();

    f->state->attrs.mtime_ns = now;
    f->state->attrs.ctime_ns = now;
    record_written(&f->record, f->obj.id, now, true);
    return err_linux(twz_object_set_size(&f->obj, size)); /* COMMIT: the length, with its bytes */
}

static int resize_locked(struct file *f, uint64_t len)
{
    const twzobj *obj = &f->obj;
    uint64_t size = twz_object_size(obj);
    uint64_t end = (size + TWZ_PAGE_SIZE - 1) & ~(uint64_t)(TWZ_PAGE_SIZE - 1);
    uint64_t keep = (len + TWZ_PAGE_SIZE - 1) & ~(uint64_t)(TWZ_PAGE_SIZE - 1);
    int err;

    if (len > size) {
        err = zero_range(obj, size, len);
        if (err < 0)
            return err;
        twz_persist_fence(); /* the zeroes, before the length that covers them */
    }
    err = commit_size(f, len);
    if (err == 0 && keep < end)
        (void)twz_sys_obj_range(obj->id, TWZ_RANGE_DISCARD, TWZ_OBJ_BASE + keep, end - keep);
    return err;
}

int regular_resize(struct file *f, uint64_t len)
{
    struct twz_mutex *lock;
    int err;

    if (len > REGULAR_MAX)
        return -EFBIG;
    lock = lock_size(f);
    err = resize_locked(f, len);
    lock_release_shared(lock);
    return err;
}

int regular_punch(struct file *f, uint64_t off, uint64_t len)
{
    struct twz_mutex *lock = lock_size(f);
    const twzobj *obj = &f->obj;
    uint64_t size, end;
    int err = 0;

    size = twz_object_size(obj);
    end = len > size || off > size - len ? size : off + len;
    if (off < end)
        err = zero_range(obj, off, end);
    twz_persist_fence();
    lock_release_shared(lock);
    return err;
}

/* --- read and write --------------------------------------------------------------------------- */

static int64_t regular_read(struct file *f, void *buf, uint64_t len, uint64_t off)
{
    uint64_t size = twz_object_size(&f->obj);
    const uint8_t *base = twz_object_base(&f->obj);
    int err;

    if (size > REGULAR_MAX)
        return -EIO;
    if (off >= size)
        return 0;
    if (len > size - off)
        len = size - off;
    err = copy_bytes(buf, base + off, len, f->obj.start);
    return err < 0 ? err : (int64_t)len;
}

/* Copies data into the file, durable on return. */
static int64_t store_data(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    uint8_t *base = twz_object_base(&f->obj);
    int err = copy_bytes(base + off, buf, len, f->obj.start);

    if (err < 0)
        return err;
    twz_persist(base + off, len);
    return (int64_t)len;
}

/* A write that may grow the file. The caller must hold the lock of the length. */
static int64_t write_growing(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    uint64_t size = twz_object_size(&f->obj);
    int64_t ret, n;

    if (off == FILE_AT_END)
        off = size;
    if (off >= REGULAR_MAX)
        return -EFBIG;
    if (len > REGULAR_MAX - off)
        len = REGULAR_MAX - off;
    ret = zero_range(&f->obj, size, off);
    if (ret < 0)
        return ret;
    n = store_data(f, buf, len, off);
    if (n < 0 || off + len <= size)
        return n;
    ret = commit_size(f, off + len);
    return ret < 0 ? ret : n;
}

static int64_t regular_write(struct file *f, const void *buf, uint64_t len, uint64_t off)
{
    uint64_t size = twz_object_size(&f->obj);
    struct twz_mutex *lock;
    int64_t n;

    if (len == 0)
        return 0;
    if (off != FILE_AT_END && off <= size && len <= size - off) {
        f->state->attrs.mtime_ns = twz_clock_wall();
        record_written(&f->record, f->obj.id, f->state->attrs.mtime_ns, false);
        return store_data(f, buf, len, off);
    }
    lock = lock_size(f);
    n = write_growing(f, buf, len, off);
    lock_release_shared(lock);
    return n;
}

static int64_t regular_seek(struct file *f, int64_t off, int64_t whence)
{
    int64_t size = (int64_t)twz_object_size(&f->obj);
    int64_t from;

    switch (whence) {
    case SEEK_SET: from = 0; break;
    case SEEK_CUR: from = (int64_t)(f->state->offset & INT64_MAX); break;
    case SEEK_END: from = size; break;
    case SEEK_DATA: return off < 0 || off >= size ? -ENXIO : off;
    case SEEK_HOLE: return off < 0 || off >= size ? -ENXIO : size;
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(from, off, &from) || from < 0)
        return -EINVAL;
    return from;
}

/* --- files of more than one object ------------------------------------------------------------ */

#define PARTS_MAX 4096 /* bound, for a corrupt chain that never ends */

/* Opens the object that continues the file. Returns -EIO if the pointer is malformed. */
static int open_next_object(const twzobj *obj, twzobj *next)
{
    uint64_t index = TWZ_PPTR_FOT(twz_object_meta(obj)->next);
    const struct twz_fot_entry *e = NULL;

    if (index <= TWZ_FOT_MAX)
        e = twz_fot_entry(obj, (uint32_t)index);
    if (!e || !(e->flags & TWZ_FOT_VALID) || (e->flags & TWZ_FOT_NAME))
        return -EIO;
    return regular_map(next, e->id, TWZ_READ);
}

/* Returns the length of the file that begins in obj: the sum over the objects that can be
 * opened. */
static uint64_t whole_size(const twzobj *obj)
{
    uint64_t size = twz_object_size(obj);
    twzobj part = *obj, next;
    int parts = 0;

    while (parts < PARTS_MAX && twz_object_meta(&part)->next &&
           open_next_object(&part, &next) == 0) {
        if (parts++)
            twz_object_release(&part);
        part = next;
        size += twz_object_size(&part);
    }
    if (parts)
        twz_object_release(&part);
    return size;
}

/* --- attributes ------------------------------------------------------------------------------- */

static bool has_elf_magic(const twzobj *obj)
{
    const uint8_t *b = twz_object_base(obj);

    return twz_object_size(obj) > SELFMAG && b[0] == ELFMAG0 && b[1] == ELFMAG1 &&
           b[2] == ELFMAG2 && b[3] == ELFMAG3;
}

static void fill_stat(const twzobj *obj, const struct attr_values *attrs, uint64_t names,
                      uint32_t type, struct stat *st)
{
    uint32_t mode = (uint32_t)attrs->mode & 07777;

    if (attrs->mode == 0)
        mode = type == S_IFDIR || has_elf_magic(obj) ? 0755 : 0644;
    *st = (struct stat){ 0 };
    st->st_dev = 1;
    st->st_ino = obj->id.lo;
    st->st_mode = type | mode;
    st->st_nlink = type == S_IFDIR && names ? 2 : names;
    st->st_size = (off_t)(type == S_IFDIR ? TWZ_PAGE_SIZE : whole_size(obj));
    st->st_blksize = TWZ_PAGE_SIZE;
    st->st_blocks = (st->st_size + TWZ_PAGE_SIZE - 1) / TWZ_PAGE_SIZE * (TWZ_PAGE_SIZE / 512);
    st->st_mtim = times_spec(attrs->mtime_ns);
    st->st_ctim = times_spec(attrs->ctime_ns);
    st->st_atim = st->st_mtim;
}

bool regular_stat(const twzobj *obj, const struct record_ref *record, uint32_t type,
                  struct stat *st)
{
    struct attr_values attrs = { 0 };
    uint64_t names = 1;
    bool counted;

    twz_guard_watch(obj->start);
    counted = (record_get(record, obj->id, &attrs, &names) && names) || record->index == 0;
    fill_stat(obj, &attrs, names, type, st);
    return counted;
}

/* A name without a record is not counted anywhere, so the object's own state decides. */
static uint64_t count_names(const struct file *f)
{
    if (f->record.index == 0 &&
        err_linux(twz_sys_obj_range(f->obj.id, TWZ_RANGE_PERSIST, TWZ_OBJ_BASE, 0)) != -ENOENT)
        return 1;
    return 0;
}

void regular_stat_open(struct file *f, uint32_t type, struct stat *st)
{
    uint64_t names;

    twz_guard_watch(f->obj.start);
    if (!record_get(&f->record, f->obj.id, &f->state->attrs, &names))
        names = count_names(f);
    fill_stat(&f->obj, &f->state->attrs, names, type, st);
}

int regular_set_attrs(struct file *f, const struct attr_values *values, uint32_t what)
{
    struct attr_values *attrs = &f->state->attrs;
    struct attr_values now;
    uint64_t names;

    if (!record_set(&f->record, f->obj.id, values, what) &&
        record_get(&f->record, f->obj.id, &now, &names))
        return -EIO;
    if (what & RECORD_MODE)
        attrs->mode = values->mode;
    if (what & RECORD_MTIME)
        attrs->mtime_ns = values->mtime_ns;
    attrs->ctime_ns = values->ctime_ns;
    return 0;
}

static int regular_file_stat(struct file *f, struct stat *st)
{
    regular_stat_open(f, S_IFREG, st);
    return 0;
}

static int regular_truncate(struct file *f, uint64_t len)
{
    return regular_resize(f, len);
}

struct attr_values regular_attrs(uint32_t mode)
{
    const uint64_t now = twz_clock_wall();

    return (struct attr_values){ .mode = mode, .mtime_ns = now, .ctime_ns = now };
}

/* Opens an object and reads its kernel record. The first access makes the kernel map the object;
 * from then on the mapping keeps the object, even after its deletion. */
static int map_readable(twzobj *obj, objid_t id, uint32_t rights, struct twz_record *record)
{
    int err = err_linux(twz_object_init_guid(obj, id, rights));

    if (err < 0)
        return err;
    if (copy_bytes(record, obj->start + TWZ_OBJ_RECORD, sizeof(*record), obj->start) == 0)
        return 0;
    twz_object_release(obj);
    return -ENOENT; /* deleted before the access, or damaged */
}

/* Returns whether this view executes an object that it could not map for writing. The kernel never
 * maps an object both W and X, so such an object can be mapped for reading only. */
static bool is_executed(objid_t id)
{
    struct twz_record record;
    twzobj obj;

    if (map_readable(&obj, id, TWZ_READ, &record) < 0)
        return false;
    twz_object_release(&obj);
    return true;
}

int regular_map(twzobj *obj, objid_t id, uint32_t rights)
{
    struct twz_record record;
    struct twz_stat stat;
    int err = map_readable(obj, id, rights, &record);

    if (err == -ENOENT && (rights & TWZ_WRITE) && is_executed(id))
        return -ETXTBSY;
    if (err < 0)
        return err;
    err = err_linux(twz_object_stat(id, &stat));
    if (err == 0 && (stat.rights & rights) != rights)
        err = -EACCES;
    if (err < 0)
        twz_object_release(obj);
    return err;
}

int regular_open(struct file *f, objid_t id, uint32_t access)
{
    uint32_t rights = access == O_RDONLY ? TWZ_READ : TWZ_READ | TWZ_WRITE;
    int err = regular_map(&f->obj, id, rights);
    uint64_t names;

    if (err == 0)
        (void)!record_get(&f->record, id, &f->own.attrs, &names);
    if (err == 0 && twz_object_meta(&f->obj)->next) {
        twz_object_release(&f->obj);
        err = -EFBIG;
    }
    if (err < 0)
        f->obj.start = NULL;
    return err;
}

const struct file_ops regular_ops = {
    .read = regular_read,
    .write = regular_write,
    .seek = regular_seek,
    .stat = regular_file_stat,
    .truncate = regular_truncate,
    .offsets = true,
};
