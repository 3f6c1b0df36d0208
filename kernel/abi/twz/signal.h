/* SPDX-License-Identifier: MIT */
/*
 * Signals that kernel, libraries and host tools name, with the numbers of Linux. The exit status of
 * a program that a signal ended.
 */
#ifndef TWZ_SIGNAL_H
#define TWZ_SIGNAL_H

#define TWZ_SIGNAL_NONE 0u
#define TWZ_SIGNAL_ILL  4u
#define TWZ_SIGNAL_TRAP 5u
#define TWZ_SIGNAL_BUS  7u
#define TWZ_SIGNAL_FPE  8u
#define TWZ_SIGNAL_KILL 9u /* thread_signal: ends the thread; any other number is a SIGNAL fault */
#define TWZ_SIGNAL_SEGV 11u
#define TWZ_SIGNAL_SYS  31u

/* Exit status of a program that a signal ended, as shells report it, and the way back. */
#define TWZ_EXIT_BY_SIGNAL(signal) (128u + (signal))
#define TWZ_EXIT_SIGNAL(status)    ((status)-128u)

#endif
