/* SPDX-License-Identifier: MIT */
/*
 * The table of children: spawn.c enters them, wait4 and waitid remove them, kill signals them. A
 * thread in wait4 or waitid sleeps on the exit words of the children's thread objects. The thread
 * does not hold children_lock during the sleep.
 */
#ifndef TWIX_CHILDREN_H
#define TWIX_CHILDREN_H

#include <twz/mutex.h>
#include <twz/program.h>

#include "inherit.h"

#define CHILD_NAME 128 /* bytes of argv[0], for the message about a fault */

struct child {
    int pid; /* 0: the entry is free */
    char name[CHILD_NAME];
    struct twz_process process;
    struct inherited inherited;
};

extern struct twz_mutex children_lock;

/* Returns a free entry, or NULL if there are too many children. The caller must hold children_lock
 * until it has set the entry's pid. An entry without a pid stays free. */
struct child *children_free_entry(void);

/* Send a signal to a child. Signal 0 only checks that the child exists. Returns -ESRCH if there is
 * no such child. */
int children_signal(int64_t pid, int64_t signo);

#endif
