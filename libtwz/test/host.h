/* SPDX-License-Identifier: MIT */
/*
 * A platform for tests: objects in memory, and what a power cut could leave of them.
 *
 * Two mappings for each object: what the program sees, and `disk`, what is on the media for sure.
 * Every store that goes through twz/persist.h is kept in the list of its line until it was flushed
 * and fenced. host_crash_points calls back at each moment where a power cut shows something new
 * (before a fence, after each store of a commit word); there host_images forks one process for each
 * legal content of the media, each line holding any prefix of its stores. Exhaustive where that
 * gives at most so many images, else a sample: none, all, and random ones from a fixed seed
 * (host_effort).
 * The words of one copy have no order among themselves: they are listed in a shuffled one.
 *
 * Pages can be stored to only after twz_touch, as on a real pool.
 */
#ifndef LIBTWZ_TEST_HOST_H
#define LIBTWZ_TEST_HOST_H

#include <twz/obj.h>


/* Forget everything. */
void host_reset(void);

/* The root directory that twz_name_root gives. */
void host_root_set(objid_t id);

/* Objects that live, in the order of their making. */
size_t host_objects(objid_t *ids, size_t max);

/* Call back at each crash point until set to NULL. */
void host_crash_points(void (*point)(void *ctx), void *ctx);

/*
 * For each legal image: a child process whose objects are that image, rebooted (locks belong to the
 * dead, provisional objects are settled), runs check(ctx); 0 is good. Returns the number of images,
 * or -1 after the first bad one, which is told on stderr.
 */
int host_images(int (*check)(void *ctx), void *ctx);

void host_effort(uint32_t exhaustive, uint32_t sampled);

/* The machine died and came back: nothing cached, all lock owners are dead. */
void host_reboot(void);

/* Leave out the flush or fence at this call site (NULL: none); sites met so far. */
void host_skip_site(const void *site);
size_t host_sites(const void **sites, size_t max);

/* Say nothing about failures: they are expected (mutants). */
void host_quiet(int on);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            host_fail(__FILE__, __LINE__, #cond);                                                  \
    } while (0)
_Noreturn void host_fail(const char *file, int line, const char *what);

#endif
