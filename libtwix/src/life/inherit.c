/* SPDX-License-Identifier: MIT */
/* What a child gets of what is open; see handover.h. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>

#include "base/err.h"
#include "base/thread.h"
#include "deliver.h"
#include "file/open.h"
#include "file/path.h"
#include "file/pipe.h"
#include "file/regular.h"
#include "inherit.h"
#include "mem/mem.h"

/* --- the child's descriptors ------------------------------------------------------------------ */

static void plan_close(struct plan *p, int fd)
{
    if (p->file[fd])
        file_put(p->file[fd]);
    p->file[fd] = NULL;
}

void plan_start(struct plan *p)
{
    int cloexec;

    p->cwd = process.cwd;
    for (int fd = 0; fd < FD_MAX; fd++) {
        p->file[fd] = fd_look(fd, &cloexec);
        p->cloexec[fd] = (uint8_t)cloexec;
    }
}

void plan_end(struct plan *p)
{
    for (int fd = 0; fd < FD_MAX; fd++)
        plan_close(p, fd);
}

static int64_t plan_dup(struct plan *p, int from, int to)
{
    if (from < 0 || from >= FD_MAX || !p->file[from])
        return -EBADF;
    p->cloexec[to] = 0;
    if (from == to)
        return 0;
    file_ref(p->file[from]);
    plan_close(p, to);
    p->file[to] = p->file[from];
    return 0;
}

static int64_t plan_open(struct plan *p, const struct linux_fdop *op)
{
    struct file *f;
    int64_t ret = open_from(p->cwd, op->path, (uint32_t)op->oflag, op->mode, &f);

    if (ret < 0)
        return ret;
    plan_close(p, op->fd);
    p->file[op->fd] = f;
    p->cloexec[op->fd] = (op->oflag & O_CLOEXEC) != 0;
    return 0;
}

static int64_t plan_chdir(struct plan *p, const char *path)
{
    struct hier_where w;
    int64_t ret = err_linux(hier_walk(process.root, p->cwd, path, 0, &w));

    if (ret < 0)
        return ret;
    if (w.kind == 0)
        ret = -ENOENT;
    else if (w.kind != HIER_DIR)
        ret = -ENOTDIR;
    else
        p->cwd = w.id;
    hier_where_close(&w);
    return ret;
}

static int64_t plan_action(struct plan *p, const struct linux_fdop *op)
{
    if (op->cmd != LINUX_FDOP_CHDIR && (op->fd < 0 || op->fd >= FD_MAX))
        return -EBADF;
    switch (op->cmd) {
    case LINUX_FDOP_CLOSE: plan_close(p, op->fd); return 0;
    case LINUX_FDOP_DUP2: return plan_dup(p, op->srcfd, op->fd);
    case LINUX_FDOP_OPEN: return plan_open(p, op);
    case LINUX_FDOP_CHDIR: return plan_chdir(p, op->path);
    case LINUX_FDOP_FCHDIR:
        if (!p->file[op->fd] || p->file[op->fd]->kind != FILE_DIRECTORY)
            return -ENOTDIR;
        p->cwd = p->file[op->fd]->obj.id;
        return 0;
    default: return -EINVAL;
    }
}

int64_t plan_actions(struct plan *p, const struct linux_fdop *last)
{
    const struct linux_fdop *op = last;
    int64_t ret = 0;

    while (op && op->next)
        op = op->next;
    for (; op && ret == 0; op = op->prev)
        ret = plan_action(p, op);
    return ret;
}

/* --- handing over ----------------------------------------------------------------------------- */

static int64_t hand_over_file(struct handover *h, int fd, struct file *f)
{
    struct inherit_file *in = &h->file[h->head.count];
    int64_t ret = 0;

    *in = (struct inherit_file){ .fd = fd, .kind = f->kind, .sub = f->sub, .access = f->access };
    in->flags = f->state->flags;
    in->obj = f->obj.id;
    if (f->ops->offsets)
        ret = file_share(f, &in->state);
    else if (f->kind == FILE_PIPE)
        ret = pipe_lend(f);
    if (ret < 0)
        return ret;
    in->end = (uint64_t)ret;
    h->head.count++;
    return 0;
}

int64_t hand_over(struct handover *h, struct plan *p, const struct linux_spawn *spawn)
{
    const struct thread *self = thread_self();
    int64_t ret = 0;

    h->head = (struct inherit){ .magic = INHERIT_MAGIC,
                                .version = INHERIT_VERSION,
                                .ppid = process.pid,
                                .umask = process.umask,
                                .sigmask = self->mask,
                                .sigignored = signals_ignored() };
    if (spawn->flags & POSIX_SPAWN_SETSIGMASK)
        h->head.sigmask = *spawn->mask;
    if (spawn->flags & POSIX_SPAWN_SETSIGDEF)
        h->head.sigignored &= ~*spawn->def;
    for (int fd = 0; fd < FD_MAX && ret == 0; fd++)
        if (p->file[fd] && !p->cloexec[fd])
            ret = hand_over_file(h, fd, p->file[fd]);
    return ret;
}

void hand_over_settle(const struct handover *h, struct plan *p, const struct twz_thread *child)
{
    for (uint32_t i = 0; i < h->head.count; i++) {
        struct file *f = p->file[h->file[i].fd];

        if (h->file[i].kind == FILE_PIPE)
            pipe_lend_to(f, h->file[i].end, child);
        else if (!objid_is_none(h->file[i].state))
            file_lend_to(f, h->file[i].end, child);
    }
}

void given_note(struct given *g, const struct handover *h)
{
    g->id = h->head.count ? mem_alloc(h->head.count * sizeof(objid_t)) : NULL;
    g->count = g->id ? h->head.count : 0;
    for (uint32_t i = 0; i < g->count; i++)
        g->id[i] = h->file[i].kind == FILE_PIPE ? h->file[i].obj : h->file[i].state;
}

void given_sweep(struct given *g)
{
    twzobj obj;

    for (uint32_t i = 0; i < g->count; i++) {
        if (objid_is_none(g->id[i]) || regular_map(&obj, g->id[i], TWZ_READ | TWZ_WRITE) < 0)
            continue;
        file_sweep(&obj);
        pipe_sweep(&obj);
        twz_object_release(&obj);
    }
    if (g->count)
        mem_free(g->id, g->count * sizeof(objid_t));
    g->count = 0;
}

void hand_over_undo(const struct handover *h, struct plan *p)
{
    for (uint32_t i = 0; i < h->head.count; i++) {
        struct file *f = p->file[h->file[i].fd];

        if (!objid_is_none(h->file[i].state))
            file_take_back(f, h->file[i].end);
        if (h->file[i].kind == FILE_PIPE)
            pipe_take_back(f, h->file[i].end);
    }
}
