/* SPDX-License-Identifier: MIT */
/*
 * The process's interval timer (alarm, setitimer). A thread of libtwix's own, made when it is first
 * asked for, sleeps until it is due and signals the first thread. It is in no table and no program
 * sees it.
 */
#ifndef TWIX_TIMERS_H
#define TWIX_TIMERS_H

/* The process ends: that thread ends too. */
void timers_end(void);

#endif
