/* SPDX-License-Identifier: MIT */
/* The end of the process, and the exit codes that its parent reads. */
#ifndef TWIX_EXIT_H
#define TWIX_EXIT_H

#include <stdint.h>
#include <twz/fault.h>
#include <twz/signal.h>

/* The exit code: the argument of thread_exit. The host reads the low byte as the status. A parent
 * process reads the whole code: with EXIT_MARK the low byte is the exit status, else a signal ended
 * the process. For a thread that the kernel ends, the code is TWZ_EXIT_BY_SIGNAL(signal). */
#define EXIT_MARK           (1ull << 40)
#define EXIT_STATUS(status) (EXIT_MARK | (uint64_t)((status)&0xff))
#define EXIT_SIGNAL(signo)  (TWZ_EXIT_BY_SIGNAL((uint64_t)(signo)) | (uint64_t)(signo) << 32)

/* The signal that makes the first thread exit. The sender passes EXIT_FLAG | exit code as the
 * signal's value. */
#define EXIT_SIGNO 32u
#define EXIT_FLAG  (1ull << 63)

/* Flush shared mappings, close all descriptors, end the process. */
_Noreturn void exit_process(int status);
_Noreturn void exit_by_signal(int signo);

/* End all threads except the caller and the first thread, whose exit code is the process's. If
 * another thread has already begun to end the process, the caller exits here. */
void exit_stop_others(uint64_t code);

/* Print on standard error, as one line, `before`, the program's name and the fault that ended it.
 * The text has the name of the fault's object. A program may have damaged its own name and the
 * directories, so both are read under a catch. */
void exit_print_fault(const char *before, const char *name, const struct twz_fault *fault);

#endif
