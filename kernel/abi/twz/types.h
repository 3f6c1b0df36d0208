/* SPDX-License-Identifier: MIT */
/*
 * Basic types of the contract between kernel, user space, media and host tools. Everything is
 * little endian and of fixed width. An object ID, a persistent pointer and a view address are
 * different C types, so that mixing them up does not compile.
 */
#ifndef TWZ_TYPES_H
#define TWZ_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <twz/objid.h>

/*
 * Persistent pointer (p-ptr): FOT index << 30 | offset. Index 0 names the object that holds the
 * pointer; the value 0 is NULL. It must not be dereferenced: libtwz resolves it.
 */
typedef struct twz_pptr {
    uint64_t raw;
} twz_pptr_t;
_Static_assert(sizeof(twz_pptr_t) == 8, "pptr size");

/* Permissions, as used in default permissions, view entries, capabilities and fault reports. */
#define TWZ_READ  0x01u
#define TWZ_WRITE 0x02u
#define TWZ_EXEC  0x04u
#define TWZ_USE   0x08u /* use as a kernel state object: attach, spawn into, signal */
#define TWZ_DEL   0x10u
#define TWZ_PERMS 0x1fu

#endif
