/* SPDX-License-Identifier: MIT */
/* The emulated machine: its command line and its process. */
#ifndef MACHINE_H
#define MACHINE_H

#include "options.h"

#include <stdint.h>
#include <sys/types.h>

enum machine_port { PORT_CTL, PORT_IN, PORT_OUT, PORT_ERR, PORT_COUNT };

struct machine {
    pid_t pid;
    int port[PORT_COUNT]; /* our ends of the host link, not blocking; -1 each for a bare machine */
};

struct machine_parts {
    const char *kernel;
    int pool_fd; /* -1: none. The machine inherits it, and with it the lock */
    uint64_t pool_size;
    int log_fd;
};

/*
 * Start the machine. It ends with this process, even if that is killed. Returns 0, or an exit code
 * after a message.
 */
int machine_start(const struct options *o, const struct machine_parts *parts, struct machine *m)
    __attribute__((warn_unused_result));

/* End it at once. The pool is meant to survive that. */
void machine_kill(const struct machine *m);

/*
 * The exit code for a machine that ended with wait status `status` before it told one: the code the
 * guest stopped with, else EXIT_MACHINE. `powered_off` is set when the guest ended it in order.
 */
int machine_end_code(int status, bool *powered_off);

#endif
