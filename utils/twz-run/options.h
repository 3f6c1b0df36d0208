/* SPDX-License-Identifier: MIT */
/* The options of twz-run. All strings live as long as argv. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_LIST_MAX 64

struct options {
    const char *pool;   /* NULL: a machine without NVDIMM, only with `bare` */
    const char *kernel; /* NULL: that of the tree in which this program lies */
    const char *qemu;
    const char *log;    /* "-" is standard error; NULL: POOL.log, or "-" without a pool */
    uint64_t log_size;  /* bytes that the log's file may have */
    const char *trace;  /* NULL, or a list for the kernel's command line */
    const char *append; /* NULL, or more words for the kernel's command line */
    uint32_t cpus;
    uint64_t memory;       /* bytes */
    uint32_t boot_seconds; /* 0: wait for ever */
    bool deterministic;
    bool gdb;
    bool bare;                         /* no host link: for tests of the kernel alone */
    bool show;                         /* print the machine's command and start nothing */
    const char *env[OPTIONS_LIST_MAX]; /* NAME=VALUE for the program */
    uint32_t env_count;
    char *machine_args[OPTIONS_LIST_MAX]; /* more arguments for QEMU */
    uint32_t machine_arg_count;
    char **program; /* program and arguments, NULL at the end; none: the prompt */
    uint32_t program_count;
};

/*
 * Fill `o` from the command line. Returns -1 to go on, or an exit code: 0 after --help, 2 after a
 * message about wrong use.
 */
int options_parse(struct options *o, int argc, char **argv) __attribute__((warn_unused_result));

#endif
