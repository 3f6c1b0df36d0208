/* SPDX-License-Identifier: MIT */
/* Declarations shared by the test platform (host.c) and its recorder (images.c). */
#ifndef LIBTWZ_TEST_HOST_INSIDE_H
#define LIBTWZ_TEST_HOST_INSIDE_H

#include "host.h"

#define OBJECTS 128u

struct host_object {
    objid_t id;
    uint8_t *start;  /* the bytes that the program sees */
    uint8_t *disk;   /* the bytes that are on the media for sure */
    uint8_t *there;  /* 1 for each page that exists */
    uint32_t *pages; /* the same pages as a list */
    uint32_t page_count;
    struct twz_create create;
    uint32_t live;
    uint32_t provisional;
};

extern struct host_object host_objs[OBJECTS];
extern size_t host_obj_count;
extern int host_is_quiet;

/* The object at an address of the program; NULL: none. */
struct host_object *host_object_at(const void *p);

/* All owners of locks are dead from here on. */
void host_new_owner(void);

/* Drop the records, and the list of images that were tried. */
void host_forget(void);

#endif
