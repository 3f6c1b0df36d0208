/* SPDX-License-Identifier: MIT */
/*
 * The process: its arguments, its identity, its current directory. The first thread fills in all
 * fields before the program runs (life/start.c).
 */
#ifndef TWIX_PROCESS_H
#define TWIX_PROCESS_H

#include <stdbool.h>
#include <twz/kso.h>
#include <twz/mutex.h>
#include <twz/program.h>

struct process {
    /* constant while the program runs */
    const struct twz_args *args;
    objid_t view;
    objid_t root;     /* of the namespace */
    int pid, ppid;    /* ppid is 0 if init started the program */
    const char *name; /* argv[0], in the args */
    bool trace;       /* log each call */

    struct twz_mutex lock; /* guards the rest */
    objid_t cwd;
    uint32_t umask;
};
extern struct process process;

/* The system information page (twz/kso.h). */
static inline const struct twz_system *process_system(void)
{
    return (const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

/* The same page with fresh counts of free memory: the kernel counts when a caller asks for the
 * page's attributes. If that request fails, the counts are those of the last one that succeeded. */
const struct twz_system *process_system_now(void);

objid_t process_cwd(void);
void process_set_cwd(objid_t dir);

/* Set the file mode mask. Returns the previous mask. */
uint32_t process_set_umask(uint32_t mask);

#endif
