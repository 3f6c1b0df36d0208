/* SPDX-License-Identifier: MIT */
/* The host's end of the host link (twz/hostlink.h): joins a running machine to this terminal. */
#ifndef LINK_H
#define LINK_H

#include "machine.h"
#include "options.h"

#include <stdbool.h>

/* How a run ended. */
struct link_result {
    bool ready;  /* the guest's first program ran */
    bool exited; /* the program ended; `status` is its status */
    int status;
    bool left;         /* the user left by key */
    int signal;        /* the signal that made us end the machine, 0: none */
    bool boot_timeout; /* ended because the guest did not come up */
    bool stuck;        /* ended because the guest did not power off after the program */
    int lost;          /* errno of a write of output that failed, 0: none; EPIPE is no failure */
    int wait_status;   /* of the machine's process */
};

/*
 * Carry everything until the machine has ended and all output is delivered. `signals` is a signalfd
 * for SIGCHLD, SIGWINCH and the ending signals, all blocked. Returns 0, or an exit code after a
 * message when the program cannot be asked for; the machine has ended either way.
 */
int link_run(const struct options *o, const struct machine *m, int signals, struct link_result *r)
    __attribute__((warn_unused_result));

#endif
