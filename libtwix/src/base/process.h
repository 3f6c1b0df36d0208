/* SPDX-License-Identifier: MIT */
/*
 * The process: what it was given, where it stands, how it ends. Written by its first thread before
 * the program runs; afterwards cwd and umask are guarded by `lock`, the rest is constant.
 */
#ifndef TWIX_PROCESS_H
#define TWIX_PROCESS_H

#include <twz/kso.h>
#include <twz/mutex.h>
#include <twz/program.h>

struct process {
    const struct twz_args *args;
    objid_t view;
    objid_t root; /* of the namespace */
    int pid, ppid;
    int trace; /* each call is logged */
    struct twz_mutex lock;
    objid_t cwd;
    uint32_t umask;
};
extern struct process process;

/* What a parent leaves in the args' opaque area: this head, then `count` entries. */
#define INHERIT_MAGIC   0x3168697774777a74ull
#define INHERIT_VERSION 1u
struct inherit {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    int32_t ppid;
    uint32_t umask;
    uint64_t sigmask;
    uint64_t sigignored;
    uint64_t pad;
};
_Static_assert(sizeof(struct inherit) == 48, "inherit size");

struct inherit_file {
    int32_t fd;
    uint32_t kind; /* FILE_* */
    uint32_t sub;
    uint32_t access;
    uint64_t flags; /* O_APPEND, O_NONBLOCK */
    objid_t state;  /* 0: nothing to share */
    objid_t obj;
    uint64_t end; /* the entry that is the child's in a pipe's ends or a state's holders */
};
_Static_assert(sizeof(struct inherit_file) == 64, "inherited file size");

/* From args: identity, directory, descriptors. Reports what is wrong on the log and ends. */
void process_init(const struct twz_args *args);

/* The system facts (twz/kso.h). */
static inline const struct twz_system *process_system(void)
{
    return (const struct twz_system *)(TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
}

/* The same, with what is free now (the kernel counts when it is asked about the facts' object). */
const struct twz_system *process_system_now(void);

void process_set_cwd(objid_t dir);
uint32_t process_set_umask(uint32_t mask); /* the one before */

/* The end, with all that is open closed. exit: status as exit(); signal: of its default action. */
_Noreturn void process_exit(int status);
_Noreturn void process_die(int signo);

/* The words of thread_exit: what a parent reads back; the low byte is what the host is told. A word
 * without either mark is the kernel's own: TWZ_EXIT_BY_SIGNAL. */
#define PROCESS_MARK           (1ull << 40)
#define PROCESS_EXITED(status) (PROCESS_MARK | (uint64_t)((status)&0xff))
#define PROCESS_KILLED(signo)  (TWZ_EXIT_BY_SIGNAL((uint64_t)(signo)) | (uint64_t)(signo) << 32)

#endif
