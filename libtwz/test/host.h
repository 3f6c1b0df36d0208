/* SPDX-License-Identifier: MIT */
/*
 * A platform for tests: objects in memory, and the images that a power failure could leave of them.
 *
 * Each object has two mappings: `start`, which the program sees, and `disk`, the bytes that are on
 * the media for sure. Each store through twz/persist.h is kept in the list of its line until it was
 * flushed and fenced. host_crash_points calls back at each moment where a power failure could leave
 * something new: before a fence, and after each store of a commit word. There, host_images forks
 * one process for each legal image, in which each line holds any prefix of its stores.
 *
 * All images are tried if there are few enough (host_effort). Else a sample: no line, all lines,
 * each line alone, all lines but one, and random ones from a fixed seed. The words of one copy have
 * no order among themselves, so they are listed from a random one on.
 *
 * A page must be touched by twz_touch before a store to it, as on a real pool.
 */
#ifndef LIBTWZ_TEST_HOST_H
#define LIBTWZ_TEST_HOST_H

#include <twz/obj.h>

/* Delete all objects, and forget what was recorded. */
void host_reset(void);

/* Set the root directory of twz_name_root. */
void host_root_set(objid_t id);

/* Make a page of an object fault at each access (PROT_NONE) or at each store (PROT_READ), or be as
 * before (PROT_READ | PROT_WRITE). Faults reach twz_catch from the first call on. */
void host_page_protect(const twzobj *obj, uint64_t off, int prot);

/* Set the owner (kuid) of an object. */
void host_owner_set(objid_t id, objid_t kuid);

/* Make the calls obj_ctl of this process fail with `error`; 0: not. */
void host_ctl_fail(int error);

/* Make each twz_touch fail with `error`, or each of the page of `p`; 0: not. */
void host_touch_fail(int error);
void host_touch_fail_at(const void *p, int error);

/* Call back before each obj_ctl, once: a callback that calls obj_ctl is not called for that. NULL:
 * no more. */
void host_ctl_watch(void (*before)(void));

/* The number of objects that exist; their IDs in the order of creation, at most `max`. */
size_t host_objects(objid_t *ids, size_t max);

/* Record, and call back at each crash point; NULL ends both. */
void host_crash_points(void (*point)(void *ctx), void *ctx);

/*
 * For each legal image, run check(ctx) in a child process; 0 is good. Its objects are that image
 * after a reboot: all owners of locks are dead, and provisional objects are settled. An image that
 * was tried with the same salt since recording began is skipped. The number of images, or -1 after
 * the first bad one, which is reported on stderr.
 */
int host_images(uint64_t salt, int (*check)(void *ctx), void *ctx);

/*
 * The program dies and the machine runs on: run check(ctx) in a child process, still recording. Its
 * objects are as they are, durable or not, and all owners of locks are dead. A flush of the
 * dead program counts only if its fence came. 0 if check returned 0, else -1.
 */
int host_death(int (*check)(void *ctx), void *ctx);

/* Try all images if they are at most `exhaustive`, else a sample with `sampled` random ones. */
void host_effort(uint32_t exhaustive, uint32_t sampled);

/* Reboot: nothing is cached, and all owners of locks are dead. */
void host_reboot(void);

/*
 * Sites (sites.h). Each flush and each fence in the source has a number below host_sites(). A
 * number without one (the fence of a mere flush) does not exist. The name of a site is its function
 * and the call as it is written, with any compiler.
 */
#define HOST_NO_SITE       SIZE_MAX
#define HOST_REACHED       1 /* while recording, in the first process */
#define HOST_REACHED_AFTER 2 /* on an image */

size_t host_sites(void);
int host_site_exists(size_t site);
void host_site_name(size_t site, char *name, size_t size);

/* The HOST_REACHED* bits of a site since host_reached_clear, over all processes. A site counts
 * while recording, and while host_count_sites is on. */
int host_site_reached(size_t site);
void host_reached_clear(void);
void host_reached_as(int how);
void host_count_sites(int on);

/* Leave a site out (HOST_NO_SITE: none). host_skipped: this process reached it since. */
void host_skip_site(size_t site);
int host_skipped(void);

/* Report no failures: they are expected (mutants). */
void host_quiet(int on);

#define CHECK(cond)                               \
    do {                                          \
        if (!(cond))                              \
            host_fail(__FILE__, __LINE__, #cond); \
    } while (0)
_Noreturn void host_fail(const char *file, int line, const char *what);

#endif
