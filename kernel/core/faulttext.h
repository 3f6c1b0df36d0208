/* SPDX-License-Identifier: MIT */
#ifndef CORE_FAULTTEXT_H
#define CORE_FAULTTEXT_H

#include <kernel/thread.h>

/* Logs a fault of t in one line. `event` says what came of it. The caller must hold no lock. */
void faulttext_log(struct thread *t, const struct twz_fault *f, const char *event);

#endif
