/* SPDX-License-Identifier: MIT */
/* Children: made by one call from a description, waited for, signalled. */
#ifndef TWIX_SPAWN_H
#define TWIX_SPAWN_H

#include <stdint.h>

/* kill() of a child; -ESRCH: not one of ours. */
int64_t spawn_signal(int64_t pid, int64_t signo);

#endif
