/* SPDX-License-Identifier: MIT */
/*
 * The process's interval timer (alarm, setitimer). The first request starts a thread of libtwix,
 * which sleeps until the timer is due and then signals the first thread. It has no entry in the
 * table of threads, so a program does not see it.
 */
#ifndef TWIX_TIMERS_H
#define TWIX_TIMERS_H

/* Kill the timer's thread, at the process's end. */
void timers_end(void);

#endif
