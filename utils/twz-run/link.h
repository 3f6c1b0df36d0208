/* SPDX-License-Identifier: MIT */
/* The host's end of the host link (twz/hostlink.h): connects a running machine to this terminal. */
#ifndef LINK_H
#define LINK_H

#include "log.h"
#include "machine.h"
#include "options.h"

#include <stdbool.h>

/* How a run ended. */
struct link_result {
    bool ready;  /* the guest's first program ran */
    bool exited; /* the program ended; `status` is its status */
    int status;
    bool left;         /* the user left with Ctrl-A X */
    int signal;        /* the signal that ended the machine, 0: none */
    bool boot_timeout; /* the machine was ended because the guest did not start in time */
    bool stuck;        /* the machine was ended because the guest did not power off */
    int lost;          /* errno of a failed write of output, 0: none; EPIPE is no failure */
    int wait_status;   /* of the machine's process */
};

/*
 * Carry input, output, log and signals until the machine has ended and all output is delivered.
 * `signals` must be a signalfd for SIGCHLD, SIGWINCH and the ending signals, all blocked. Returns
 * 0, or an exit code after a message if the request cannot be sent. The machine has ended in both
 * cases.
 */
int link_run(const struct options *o, const struct machine *m, struct log *log, int signals,
             struct link_result *r) __attribute__((warn_unused_result));

#endif
