/* SPDX-License-Identifier: MIT */
/* What the platform for tests (host.c) and its recorder (images.c) share. */
#ifndef LIBTWZ_TEST_HOST_INSIDE_H
#define LIBTWZ_TEST_HOST_INSIDE_H

#include "host.h"

#define OBJECTS 128u

struct host_object {
    objid_t id;
    uint8_t *start;  /* what the program sees */
    uint8_t *disk;   /* what is on the media for sure */
    uint8_t *there;  /* pages that exist */
    uint32_t *pages; /* the same as a list */
    uint32_t page_count;
    struct twz_create create;
    uint32_t live;
    uint32_t provisional;
};

extern struct host_object host_objs[OBJECTS];
extern size_t host_obj_count;
extern int host_is_quiet;

/* The object that an address of the program lies in; NULL: none. */
struct host_object *host_object_at(const void *p);

/* Whoever holds a lock is dead from now on. */
void host_new_owner(void);

/* Nothing was recorded, no image was tried. */
void host_forget(void);

#endif
