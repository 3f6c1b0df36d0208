/* SPDX-License-Identifier: MIT */
/*
 * The process's interval timer (alarm, setitimer). The first request that turns the timer on starts
 * the keeper, a thread of libtwix. The keeper sleeps until the timer is due and then signals the
 * first thread. The keeper has no entry in the table of threads, so a program does not see this
 * thread.
 */
#ifndef TWIX_TIMERS_H
#define TWIX_TIMERS_H

/* Kill the keeper, if it was started. For the end of the process. */
void timers_end(void);

#endif
