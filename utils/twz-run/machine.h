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
    int port[PORT_COUNT]; /* the host's ends of the host link, not blocking; bare machine: -1 */
};

struct machine_parts {
    const char *kernel;
    int pool_fd; /* -1: none. The machine inherits the descriptor and with it the lock */
    uint64_t pool_size;
    int log_fd;
};

/*
 * Start the machine. The machine ends with this process, even if this process is killed. Returns 0,
 * or an exit code after a message.
 */
int machine_start(const struct options *o, const struct machine_parts *parts, struct machine *m)
    __attribute__((warn_unused_result));

/* End the machine at once. To the pool this is like a power failure, without the loss of unflushed
 * lines. */
void machine_kill(const struct machine *m);

/*
 * The exit code for a machine that ended with wait status `status` before the program did: the code
 * with which the guest stopped, else EXIT_MACHINE. *powered_off: the guest powered the machine off.
 */
int machine_end_code(int status, bool *powered_off);

#endif
