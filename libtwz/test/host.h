/* SPDX-License-Identifier: MIT */
/*
 * A platform for tests: objects in memory, and what a power cut could leave of them.
 *
 * Two mappings for each object: what the program sees, and `disk`, what is on the media for sure.
 * Every store that goes through twz/persist.h is kept in the list of its line until it was flushed
 * and fenced. host_crash_points calls back at each moment where a power cut shows something new
 * (before a fence, after each store of a commit word); there host_images forks one process for each
 * legal content of the media, each line holding any prefix of its stores. Exhaustive where that
 * gives at most so many images, else a sample: none, all, each line alone, all but each, and random
 * ones from a fixed seed (host_effort).
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
 * dead, provisional objects are settled), runs check(ctx); 0 is good. An image that was tried with
 * the same salt since recording began is not tried again. Returns the number of images, or -1 after
 * the first bad one, which is told on stderr.
 */
int host_images(uint64_t salt, int (*check)(void *ctx), void *ctx);

/*
 * The program dies, the machine does not: a child process whose objects are as they stand, durable
 * or not, with all locks the dead one's, runs check(ctx), still recording; 0 is good. Returns it.
 */
int host_death(int (*check)(void *ctx), void *ctx);

void host_effort(uint32_t exhaustive, uint32_t sampled);

/* The machine died and came back: nothing cached, all lock owners are dead. */
void host_reboot(void);

/*
 * Sites (sites.h): every flush and every fence in the source has a number below host_sites(); those
 * that are none (the fence of a mere flush) do not exist. Names are the same with every compiler:
 * the function, and the call as it is written.
 */
#define HOST_NO_SITE   SIZE_MAX
#define HOST_MET       1 /* while recording, in the first process */
#define HOST_MET_AFTER 2 /* on an image */

size_t host_sites(void);
int host_site_exists(size_t site);
void host_site_name(size_t site, char *name, size_t size);

/* HOST_MET* of a site since host_met_clear, over all processes. Noted while recording, and where
 * host_note_sites says so. */
int host_site_met(size_t site);
void host_met_clear(void);
void host_met_as(int how);
void host_note_sites(int on);

/* Leave one out (HOST_NO_SITE: none). Was it met since, in this process? */
void host_skip_site(size_t site);
int host_skipped(void);

/* Say nothing about failures: they are expected (mutants). */
void host_quiet(int on);

#define CHECK(cond)                               \
    do {                                          \
        if (!(cond))                              \
            host_fail(__FILE__, __LINE__, #cond); \
    } while (0)
_Noreturn void host_fail(const char *file, int line, const char *what);

#endif
