/* SPDX-License-Identifier: MIT */
/*
 * The entry table, through which a program calls libtwix. Word TWIX_USER_TABLE of each thread's
 * user words (gs:504) points to the table; the C library jumps through the table
 * (musl-port/patches). A new field must be appended, and must raise TWIX_VERSION. A program's ELF
 * note has the version that the program's C library needs.
 */
#ifndef TWIX_ENTRY_H
#define TWIX_ENTRY_H

#include <twz/thread.h>

#define TWIX_MAGIC       0x3178697774777a74ull
#define TWIX_VERSION     2u
#define TWIX_VERSION_MIN 2u /* oldest that a program may ask for */

struct twix_table {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* bytes of this struct */
    int64_t (*call)(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                    uint64_t f);
    int (*clone)(int (*fn)(void *), void *stack, int flags, void *arg, int *ptid, void *tls,
                 int *ctid);
    void (*unmapself)(void *base, uint64_t len); /* does not return */
};
_Static_assert(offsetof(struct twix_table, call) == 16, "musl patch 1 jumps here");
_Static_assert(offsetof(struct twix_table, clone) == 24, "musl patch 2 jumps here");
_Static_assert(offsetof(struct twix_table, unmapself) == 32, "musl patch 2 jumps here");

#define TWIX_USER_TABLE  31u /* of twz_thread.user[]: struct twix_table * */
#define TWIX_USER_THREAD 30u /* struct thread * */
_Static_assert(offsetof(struct twz_thread, user) + 8 * TWIX_USER_TABLE == 504,
               "the musl patches read gs:504");

/* Called by start.S on the process's first stack, with its struct twz_args. */
_Noreturn void twix_main(const void *args);

#endif
