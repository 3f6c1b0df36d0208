/* SPDX-License-Identifier: MIT */
/* Inheritance of descriptors; see inherit.h. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <twz/device.h>

#include "base/guard.h"
#include "base/process.h"
#include "base/signals.h"
#include "base/thread.h"
#include "file/device.h"
#include "file/directory.h"
#include "file/pipe.h"
#include "file/regular.h"
#include "inherit.h"
#include "mem/mem.h"

/* --- the parent ------------------------------------------------------------------------------- */

static int prepare_file(struct inherit_all *all, int fd, struct file *f)
{
    struct inherit_file *in = &all->file[all->head.count];
    int64_t ret = 0;

    *in = (struct inherit_file){ .fd = fd, .kind = f->kind, .sub = f->sub, .access = f->access };
    file_watch(f);
    in->flags = f->state->flags;
    in->obj = f->obj.id;
    in->record = f->record;
    if (f->ops->offsets)
        ret = file_inherit(f, &in->state);
    else if (f->kind == FILE_PIPE)
        ret = pipe_inherit(f);
    if (ret < 0)
        return (int)ret;
    in->end = (uint64_t)ret;
    all->head.count++;
    return 0;
}

int inherit_prepare(struct inherit_all *all, struct plan *p, const struct linux_spawn *spawn)
{
    const struct thread *self = thread_self();
    int err = 0;

    all->head = (struct inherit){ .magic = INHERIT_MAGIC,
                                  .version = INHERIT_VERSION,
                                  .ppid = process.pid,
                                  .umask = process.umask,
                                  .sigmask = self->mask,
                                  .sigignored = signals_ignored() };
    if (spawn->flags & POSIX_SPAWN_SETSIGMASK)
        all->head.sigmask = *spawn->mask;
    if (spawn->flags & POSIX_SPAWN_SETSIGDEF)
        all->head.sigignored &= ~*spawn->def;
    for (int fd = 0; fd < FD_MAX && err == 0; fd++)
        if (p->file[fd] && !p->cloexec[fd])
            err = (int)GUARDED(prepare_file(all, fd, p->file[fd]));
    return err;
}

void inherit_transfer(const struct inherit_all *all, struct plan *p, uint64_t owner)
{
    for (uint32_t i = 0; i < all->head.count; i++) {
        const struct inherit_file *in = &all->file[i];
        struct file *f = p->file[in->fd];

        if (in->kind == FILE_PIPE)
            pipe_transfer(f, in->end, owner);
        else if (!objid_is_none(in->state))
            file_transfer(f, in->end, owner);
    }
}

void inherit_revoke(const struct inherit_all *all, struct plan *p)
{
    for (uint32_t i = 0; i < all->head.count; i++) {
        const struct inherit_file *in = &all->file[i];
        struct file *f = p->file[in->fd];

        if (!objid_is_none(in->state))
            file_revoke(f, in->end);
        if (in->kind == FILE_PIPE)
            pipe_revoke(f, in->end);
    }
}

void inherit_record(struct inherited *list, const struct inherit_all *all)
{
    list->id = all->head.count ? mem_alloc(all->head.count * sizeof(objid_t)) : NULL;
    list->count = list->id ? all->head.count : 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct inherit_file *in = &all->file[i];

        list->id[i] = in->kind == FILE_PIPE ? in->obj : in->state;
    }
}

void inherit_reap(struct inherited *list)
{
    twzobj obj;

    for (uint32_t i = 0; i < list->count; i++) {
        const objid_t id = list->id[i];

        if (objid_is_none(id) || regular_map(&obj, id, TWZ_READ | TWZ_WRITE) < 0)
            continue;
        file_reap(&obj);
        pipe_reap(&obj);
        twz_object_release(&obj);
    }
    if (list->count)
        mem_free(list->id, list->count * sizeof(objid_t));
    list->count = 0;
}

/* --- the child -------------------------------------------------------------------------------- */

const struct inherit *inherit_find(const struct twz_args *args)
{
    const struct inherit *head = (const struct inherit *)((const uint8_t *)args + args->opaque);

    if (args->opaque_len < sizeof(*head) || args->opaque % 16 || head->magic != INHERIT_MAGIC ||
        head->version != INHERIT_VERSION)
        return NULL;
    if ((args->opaque_len - sizeof(*head)) / sizeof(struct inherit_file) < head->count)
        return NULL;
    return head;
}

static const struct file_ops *ops_of(const struct inherit_file *in)
{
    switch (in->kind) {
    case FILE_REGULAR: return &regular_ops;
    case FILE_DIRECTORY: return &directory_ops;
    case FILE_PIPE: return &pipe_ops;
    default: return device_ops(in->kind, in->sub);
    }
}

static int reopen_object(struct file *f, const struct inherit_file *in)
{
    switch (in->kind) {
    case FILE_REGULAR: return regular_open(f, in->obj, in->access & O_ACCMODE);
    case FILE_DIRECTORY: return directory_open(f, in->obj);
    case FILE_PIPE: return pipe_reopen(f, in->obj, in->end);
    default: return 0;
    }
}

/* Opens the descriptor that `in` describes, unless `in` is malformed. */
static void open_entry(const struct inherit_file *in)
{
    const struct file_ops *ops = ops_of(in);
    struct file *f;
    int err;

    if (!ops || in->fd < 0 || in->fd >= FD_MAX || in->sub >= TWZ_PORTS)
        return;
    f = file_new(ops, in->kind, in->access | (uint32_t)in->flags);
    if (!f)
        return;
    f->sub = in->sub;
    f->record = in->record;
    err = (int)GUARDED(reopen_object(f, in));
    if (err < 0)
        f->obj.start = NULL; /* released, by the function or by the guard */
    if (err == 0 && !objid_is_none(in->state))
        err = file_attach(f, in->state, in->end);
    if (err < 0)
        file_put(f);
    else
        (void)fd_replace(in->fd, f, false);
}

void inherit_open(const struct inherit *head)
{
    const struct inherit_file *file = (const struct inherit_file *)(head + 1);

    for (uint32_t i = 0; i < head->count; i++)
        open_entry(&file[i]);
}
