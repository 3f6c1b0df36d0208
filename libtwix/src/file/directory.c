/* SPDX-License-Identifier: MIT */
/* Open directories and reading them; see directory.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hier/hier.h>
#include <unistd.h>

#include "base/guard.h"
#include "base/linux.h"
#include "base/process.h"
#include "directory.h"
#include "regular.h"

/* An entry of getdents64. A NUL ends the name; the whole entry is padded to 8 bytes. */
struct dirent_linux {
    uint64_t ino;
    int64_t next;
    uint16_t len;
    uint8_t type;
    char name[];
};
#define ENTRY_SIZE(name_len) \
    ((offsetof(struct dirent_linux, name) + (name_len) + 1 + 7) & ~(size_t)7)

static uint8_t entry_type(uint32_t kind)
{
    switch (kind) {
    case HIER_DIR: return DT_DIR;
    case HIER_SYMLINK: return DT_LNK;
    default: return DT_REG;
    }
}

/* Reads the entry at *offset and moves *offset past that entry. Returns 1, 0 at the end, or an
 * error. */
static int64_t next_item(const struct file *f, uint64_t *offset, struct hier_item *item)
{
    uint64_t cursor;
    int64_t ret;
    int err;

    if (*offset < 2) {
        item->found = (struct hier_found){ .id = f->obj.id, .kind = HIER_DIR };
        if (*offset == 1) {
            err = err_linux(hier_parent(&f->obj, &item->found.id));
            if (err < 0)
                return err;
        }
        item->len = (size_t)*offset + 1;
        item->name[0] = '.';
        item->name[1] = '.';
        item->name[item->len] = 0;
        *offset += 1;
        return 1;
    }
    cursor = *offset - 2;
    ret = ret_linux(hier_iter(&f->obj, &cursor, item));
    *offset = cursor + 2;
    return ret;
}

/* Fills buf with entries, from the state's offset on. Returns the number of bytes, or 0 at the end.
 * Returns -EINVAL if not even one entry fits. The caller must hold the state's lock. */
static int64_t list_entries(struct file *f, struct file_state *s, uint8_t *buf, uint64_t len)
{
    uint64_t offset = s->offset & INT64_MAX;
    struct hier_item item;
    uint64_t done = 0;

    for (;;) {
        uint64_t from = offset;
        int64_t ret = next_item(f, &offset, &item);
        size_t size = ENTRY_SIZE(item.len);
        struct dirent_linux *e = (struct dirent_linux *)(void *)(buf + done);

        if (ret <= 0 || size > len - done) {
            s->offset = ret > 0 ? from : offset;
            if (ret > 0 && done == 0)
                return -EINVAL;
            return ret < 0 && done == 0 ? ret : (int64_t)done;
        }
        e->ino = objid_is_none(item.found.id) ? item.found.cookie : item.found.id.lo;
        e->next = (int64_t)offset;
        e->len = (uint16_t)size;
        e->type = entry_type(item.found.kind);
        for (size_t i = 0; i <= item.len; i++)
            e->name[i] = item.name[i];
        done += size;
    }
}

static int64_t read_entries(struct file *f, uint8_t *buf, uint64_t len)
{
    struct file_state *s;
    int64_t ret;

    file_watch(f);
    s = file_lock_state(f);
    ret = list_entries(f, s, buf, len);
    file_unlock_state(s);
    return ret;
}

int64_t linux_getdents64(int fd, void *buf, uint64_t len)
{
    struct file *f = fd_get(fd);
    int64_t ret = -ENOTDIR;

    if (!f)
        return -EBADF;
    if (f->kind == FILE_DIRECTORY)
        ret = GUARDED(read_entries(f, buf, len));
    file_put(f);
    return ret;
}

static int64_t directory_seek(struct file *f, int64_t off, int64_t whence)
{
    if (whence == SEEK_CUR)
        off += (int64_t)(f->state->offset & INT64_MAX);
    else if (whence != SEEK_SET)
        return -EINVAL;
    return off < 0 ? -EINVAL : off;
}

static int directory_stat(struct file *f, struct stat *st)
{
    regular_stat_open(f, S_IFDIR, st);
    return 0;
}

int directory_open(struct file *f, objid_t id)
{
    int err = twz_object_init_guid(&f->obj, id, TWZ_READ | TWZ_WRITE);
    uint64_t names;

    if (err < 0)
        return err_linux(err);
    err = err_linux(hier_probe(&f->obj));
    if (err == 0)
        (void)!record_get(&f->record, id, &f->own.attrs, &names);
    else
        twz_object_release(&f->obj);
    return err;
}

const struct file_ops directory_ops = {
    .seek = directory_seek,
    .stat = directory_stat,
    .offsets = true,
};
