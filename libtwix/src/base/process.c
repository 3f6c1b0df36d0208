/* SPDX-License-Identifier: MIT */
/* The fields of the process that change; see process.h. */
#include "lock.h"
#include "process.h"

struct process process;

const struct twz_system *process_system_now(void)
{
    const struct twz_system *system = process_system();
    struct twz_stat stat;
    twzobj obj;
    int err = twz_object_init_ptr(&obj, system);

    if (err >= 0)
        err = twz_object_stat(obj.id, &stat);
    (void)err;
    return system;
}

objid_t process_cwd(void)
{
    objid_t dir;

    lock_acquire(&process.lock);
    dir = process.cwd;
    lock_release(&process.lock);
    return dir;
}

void process_set_cwd(objid_t dir)
{
    lock_acquire(&process.lock);
    process.cwd = dir;
    lock_release(&process.lock);
}

uint32_t process_set_umask(uint32_t mask)
{
    uint32_t old;

    lock_acquire(&process.lock);
    old = process.umask;
    process.umask = mask;
    lock_release(&process.lock);
    return old;
}
