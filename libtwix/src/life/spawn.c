/* SPDX-License-Identifier: MIT */
/*
 * posix_spawn in one call: the program passes the whole description of the child (struct
 * linux_spawn). The child has a view of its own. Parent and child share memory only in objects that
 * both map, such as pipes and file states.
 */
#include <errno.h>
#include <twz/call.h>
#include <twz/program.h>
#include <twz/syscall.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/process.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/wait.h"
#include "children.h"
#include "file/path.h"
#include "inherit.h"
#include "mem/mem.h"
#include "plan.h"

/* --- finding the program ---------------------------------------------------------------------- */

static int find_at(const char *path, objid_t cwd, objid_t *id)
{
    struct hier_where w;
    int err = err_linux(hier_walk(process.root, cwd, path, 0, &w));

    if (err < 0)
        return err;
    if (w.kind == 0)
        err = -ENOENT;
    else if (w.kind != HIER_OBJECT)
        err = -EACCES;
    else
        *id = w.id;
    hier_where_close(&w);
    return err;
}

/* Writes dir[0 .. dir_len), a '/' (unless dir_len is 0) and name to `to`, which has TWZ_PATH_MAX
 * bytes. Returns 0 or -ENAMETOOLONG. */
static int join_path(char *to, const char *dir, size_t dir_len, const char *name)
{
    size_t n = 0;

    for (size_t i = 0; i < dir_len && n < TWZ_PATH_MAX - 2; i++)
        to[n++] = dir[i];
    if (dir_len)
        to[n++] = '/';
    while (*name && n < TWZ_PATH_MAX - 1)
        to[n++] = *name++;
    to[n] = 0;
    return *name ? -ENAMETOOLONG : 0;
}

static bool has_slash(const char *s)
{
    while (*s && *s != '/')
        s++;
    return *s == '/';
}

/* Finds the program's object: by its path, relative to the child's directory, or along the search
 * list. Stores the path in p->found. */
static int find_program(struct plan *p, const struct linux_spawn *spawn, objid_t *id)
{
    const char *dir = spawn->search;
    int err;

    if (!*spawn->path)
        return -ENOENT;
    if (!dir || has_slash(spawn->path)) {
        err = join_path(p->found, "", 0, spawn->path);
        return err < 0 ? err : find_at(p->found, p->cwd, id);
    }
    for (;;) {
        size_t len = 0;

        while (dir[len] && dir[len] != ':')
            len++;
        err = join_path(p->found, dir, len, spawn->path);
        if (err == 0)
            err = find_at(p->found, p->cwd, id);
        if (err == 0 || !dir[len])
            return err;
        dir += len + 1;
    }
}

/* --- the call --------------------------------------------------------------------------------- */

static void record_child(struct child *c, const struct inherit_all *all, const char *name)
{
    struct text t;

    inherit_record(&c->inherited, all);
    text_init(&t, c->name, sizeof(c->name));
    text_str(&t, name);
}

/* Starts `program` as the plan describes. Fills in `all`, the description of the child's
 * descriptors. */
static int start_program(struct plan *p, struct inherit_all *all, const struct linux_spawn *spawn,
                         objid_t program, struct child *c)
{
    static const char *const nothing[] = { NULL };
    const struct twz_args *args = process.args;
    struct twz_program_spec spec = { .program = program,
                                     .runtime = args->runtime,
                                     .path = p->found,
                                     .argv = spawn->argv ? spawn->argv : nothing,
                                     .envp = spawn->envp ? spawn->envp : nothing,
                                     .cwd = p->cwd,
                                     .cwd_path = p->cwd_path,
                                     .ttybits = args->ttybits,
                                     .rows = args->rows,
                                     .cols = args->cols,
                                     .opaque = all };
    int err = err_linux(hier_path_of(process.root, p->cwd, p->cwd_path, sizeof(p->cwd_path)));

    if (err < 0)
        return err;
    err = inherit_prepare(all, p, spawn);
    if (err == 0) {
        spec.opaque_len = sizeof(all->head) + all->head.count * sizeof(all->file[0]);
        err = err_linux(twz_program_spawn(&spec, &c->process));
    }
    if (err < 0) {
        inherit_revoke(all, p);
        return err;
    }
    inherit_transfer(all, p, thread_owner_word(c->process.generation));
    record_child(c, all, spec.argv[0] ? spec.argv[0] : p->found);
    return 0;
}

/* Finds and starts the program; again, if another one took its name before it could be loaded. */
static int start_child(struct plan *p, struct inherit_all *all, const struct linux_spawn *spawn,
                       struct child *c)
{
    objid_t program, before = TWZ_OBJID_NONE;
    int ret = -ENOENT;

    for (unsigned tries = 0; tries < PATH_TRIES; tries++) {
        int err = find_program(p, spawn, &program);

        if (err < 0)
            return err;
        if (objid_equal(program, before))
            break;
        ret = start_program(p, all, spawn, program, c);
        if (!path_is_gone(ret))
            break;
        before = program;
    }
    return ret;
}

/* Waits until the child has opened its inherited descriptors, or has ended. The parent must not
 * close or remove those files earlier. */
static void wait_ready(const struct child *c)
{
    struct twz_sync ops[2];

    while (!twz_program_ready(&c->process)) {
        twz_program_sleeps(&c->process, &ops[0], &ops[1]);
        (void)twz_sys_thread_sync(ops, 2, TWZ_FOREVER);
    }
}

/* Gives the child's entry its pid, which it returns. A child that has destroyed its thread object
 * already has no pid; it is over. */
static int64_t enter_child(struct child *c)
{
    struct twz_program_end end;

    if (c->process.generation) {
        c->pid = thread_number(c->process.generation);
        return c->pid;
    }
    (void)!twz_program_wait(&c->process, TWZ_FOREVER, &end);
    inherit_reap(&c->inherited);
    return -EAGAIN;
}

int64_t linux_twix_spawn(const void *given)
{
    const struct linux_spawn *spawn = given;
    const uint64_t size = sizeof(struct plan) + sizeof(struct inherit_all);
    struct plan *p = mem_alloc(size);
    struct inherit_all *all = (struct inherit_all *)(p + 1);
    struct child *c;
    int64_t ret;

    if (!p)
        return -ENOMEM;
    plan_start(p);
    ret = plan_apply(p, spawn->actions);
    lock_acquire(&children_lock);
    c = children_free_entry();
    if (ret == 0)
        ret = c ? start_child(p, all, spawn, c) : -EAGAIN;
    if (ret == 0) {
        wait_ready(c);
        ret = enter_child(c);
    }
    lock_release(&children_lock);
    plan_end(p);
    mem_free(p, size);
    return ret;
}
