/* SPDX-License-Identifier: MIT */
/*
 * Layout of a user: a record (common/layout.h has its crash protocol) that says who a name stands
 * for. A user is found by its name in the directory /sys/users, as NAME/user.
 *
 * The rights of a user do not come from here. They come from capabilities in `context`, which are
 * signed with keys of owners. A changed record can mislead a login, but gives no right.
 */
#ifndef USER_LAYOUT_H
#define USER_LAYOUT_H

#include <twz/types.h>

#define USER_TAG     0x7265737500000001ull
#define USER_MAGIC   0x312d7265737a7774ull
#define USER_VERSION 1u
#define USER_NAME    32u

struct user {
    char name[USER_NAME]; /* letters a-z, digits, _ and -, not first a digit or -; then zeroes */
    objid_t kuid;         /* the ku of what the user makes; 0: none yet */
    objid_t context;      /* the security context of the user's sessions; 0: none */
    objid_t home;         /* the root directory of the user's own files; 0: none */
    objid_t kring;        /* the keys of the user and of others that the user knows; 0: none */
    uint64_t flags;       /* 0 */
    uint64_t reserved[11];
};
_Static_assert(sizeof(struct user) == 192, "user size");

#endif
