/* SPDX-License-Identifier: MIT */
/*
 * Linux's side of the interface: constants, structs, and one prototype for each line of linux.def.
 * Most structs are those of the C library's public headers, which on x86-64 have the layouts of
 * Linux. The others are declared here.
 */
#ifndef TWIX_LINUX_H
#define TWIX_LINUX_H

#include <stdint.h>

/* The C types behind the kinds of linux.def. */
#define KIND_FD   int
#define KIND_PATH const char *
#define KIND_IN   const void *
#define KIND_OUT  void *
#define KIND_PTR  void *
#define KIND_LEN  uint64_t
#define KIND_OFF  int64_t
#define KIND_NUM  int64_t
#define KIND_BITS uint32_t
#define KIND_MODE uint32_t

/*
 * EACH(none, sep, m, kind, name, ...) is m(index, kind, name) for each argument of a line, with
 * sep() between them, or `none` where the line has no arguments.
 */
#define EACH_0(none, sep, m, i)            none
#define EACH_1(none, sep, m, i, k, n)      m(i, k, n)
#define EACH_2(none, sep, m, i, k, n, ...) m(i, k, n) sep() EACH_1(none, sep, m, i + 1, __VA_ARGS__)
#define EACH_3(none, sep, m, i, k, n, ...) m(i, k, n) sep() EACH_2(none, sep, m, i + 1, __VA_ARGS__)
#define EACH_4(none, sep, m, i, k, n, ...) m(i, k, n) sep() EACH_3(none, sep, m, i + 1, __VA_ARGS__)
#define EACH_5(none, sep, m, i, k, n, ...) m(i, k, n) sep() EACH_4(none, sep, m, i + 1, __VA_ARGS__)
#define EACH_6(none, sep, m, i, k, n, ...) m(i, k, n) sep() EACH_5(none, sep, m, i + 1, __VA_ARGS__)

#define EACH_PICK(zero, k1, n1, k2, n2, k3, n3, k4, n4, k5, n5, k6, n6, each, ...) each
#define EACH(none, sep, m, ...)                                                                   \
    EACH_PICK(0, ##__VA_ARGS__, EACH_6, 0, EACH_5, 0, EACH_4, 0, EACH_3, 0, EACH_2, 0, EACH_1, 0, \
              EACH_0)                                                                             \
    (none, sep, m, 0, ##__VA_ARGS__)
#define EACH_COMMA() ,

#define PARAMETER(i, kind, name) KIND_##kind name
#define LINUX(number, name, ...) \
    int64_t linux_##name(EACH(void, EACH_COMMA, PARAMETER, ##__VA_ARGS__));
#include "../../linux.def"
#undef LINUX
#undef PARAMETER

/* The call numbers. */
enum {
#define LINUX(number, name, ...) LINUX_NR_##name = number,
#include "../../linux.def"
#undef LINUX
};

/* struct sigaction in the layout of the system call. */
struct linux_sigaction {
    void (*handler)(int);
    uint64_t flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* The structs of sysinfo and getrusage: those of the C library are longer. */
struct linux_sysinfo {
    int64_t uptime;
    uint64_t loads[3];
    uint64_t totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t pad2;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit;
    uint32_t pad3;
};
_Static_assert(sizeof(struct linux_sysinfo) == 112, "sysinfo size");

struct linux_rusage {
    int64_t user_sec, user_usec, system_sec, system_usec;
    int64_t more[14];
};
_Static_assert(sizeof(struct linux_rusage) == 144, "rusage size");

#define LINUX_RENAME_NOREPLACE 1u

#define LINUX_STATX_BASIC 0x7ffu
struct linux_statx_time {
    int64_t sec;
    uint32_t nsec;
    uint32_t pad;
};
struct linux_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad;
    uint64_t ino, size, blocks, attributes_mask;
    struct linux_statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t more[14];
};
_Static_assert(sizeof(struct linux_statx) == 256, "statx size");

/* struct linux_spawn is the argument of twix_spawn, from the patched posix_spawn
 * (musl-port/patches/0003). struct linux_fdop is one file action in the list of a linux_spawn. */
struct linux_fdop {
    struct linux_fdop *next, *prev; /* next: the action that the program added before this one */
    int32_t cmd, fd, srcfd, oflag;
    uint32_t mode;
    char path[];
};
#define LINUX_FDOP_CLOSE  1
#define LINUX_FDOP_DUP2   2
#define LINUX_FDOP_OPEN   3
#define LINUX_FDOP_CHDIR  4
#define LINUX_FDOP_FCHDIR 5

struct linux_spawn {
    const char *path;
    const char *search; /* directories for a path without '/', as PATH has them; NULL: none */
    const char *const *argv, *const *envp;
    const struct linux_fdop *actions; /* the last one added, NULL: none */
    const uint64_t *def, *mask;
    uint64_t flags;
    int64_t pgrp;
};

#endif
