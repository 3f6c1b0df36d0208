/* SPDX-License-Identifier: MIT */
/* The plan of a child: a descriptor table and a current directory. Both start as copies of the
 * process's; the file actions of posix_spawn change them. */
#ifndef TWIX_PLAN_H
#define TWIX_PLAN_H

#include <twz/name.h>

#include "base/linux.h"
#include "file/fd.h"

struct plan {
    struct file *file[FD_MAX]; /* one reference each, NULL: not open */
    uint8_t cloexec[FD_MAX];
    objid_t cwd;
    char cwd_path[TWZ_PATH_MAX];
    char found[TWZ_PATH_MAX]; /* the program's path */
};

/* Copy the process's table and current directory. The caller must call plan_end after it. */
void plan_start(struct plan *p);
void plan_end(struct plan *p);

/* Apply the actions in the order in which the program added them. The list leads from the last
 * action to the first. After an error the remaining actions are not applied. */
int plan_apply(struct plan *p, const struct linux_fdop *last);

#endif
