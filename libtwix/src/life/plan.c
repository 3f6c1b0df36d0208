/* SPDX-License-Identifier: MIT */
/* The descriptors and the directory of a child; see plan.h. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/process.h"
#include "file/open.h"
#include "file/path.h"
#include "plan.h"

static void plan_close(struct plan *p, int fd)
{
    if (p->file[fd])
        file_put(p->file[fd]);
    p->file[fd] = NULL;
}

void plan_start(struct plan *p)
{
    bool cloexec;

    p->cwd = process_cwd();
    for (int fd = 0; fd < FD_MAX; fd++) {
        p->file[fd] = fd_get_flag(fd, &cloexec);
        p->cloexec[fd] = cloexec;
    }
}

void plan_end(struct plan *p)
{
    for (int fd = 0; fd < FD_MAX; fd++)
        plan_close(p, fd);
}

static int plan_dup(struct plan *p, int from, int to)
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

static int plan_open(struct plan *p, const struct linux_fdop *op)
{
    struct file *f;
    int err = open_from(p->cwd, op->path, (uint32_t)op->oflag, op->mode, &f);

    if (err < 0)
        return err;
    plan_close(p, op->fd);
    p->file[op->fd] = f;
    p->cloexec[op->fd] = (op->oflag & O_CLOEXEC) != 0;
    return 0;
}

static int plan_chdir(struct plan *p, const char *path)
{
    struct hier_where w;
    int err = err_linux(hier_walk(process.root, p->cwd, path, 0, &w));

    if (err < 0)
        return err;
    if (w.kind == 0)
        err = -ENOENT;
    else if (w.kind != HIER_DIR)
        err = -ENOTDIR;
    else
        p->cwd = w.id;
    hier_where_close(&w);
    return err;
}

static int plan_action(struct plan *p, const struct linux_fdop *op)
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

int plan_apply(struct plan *p, const struct linux_fdop *last)
{
    const struct linux_fdop *op = last;
    int err = 0;

    while (op && op->next)
        op = op->next;
    for (; op && err == 0; op = op->prev)
        err = plan_action(p, op);
    return err;
}
