/* SPDX-License-Identifier: MIT */
/*
 * Users in the pool: /sys/users/NAME holds the objects `user`, `kring`, `kr` and `context` of a
 * user. Functions return TOOL_OK, or an exit code after a message.
 */
#ifndef USERS_H
#define USERS_H

#include <kr/kr.h>
#include <kring/kring.h>
#include <user/user.h>

#include "pool.h"

struct users_new {
    const char *name;
    const char *home;      /* path of the home; it is made if it is missing */
    objid_t kuid;          /* 0: none */
    const struct kr *keys; /* sealed private keys; NULL: none */
};

/* Make a user. TOOL_NO if the name is not valid, or if there is such a user. */
int users_add(struct pool *pool, const struct users_new *new);

struct users_info {
    struct user user;
    objid_t kr; /* 0: none */
    struct kring ring;
};

/* Read a user and its keyring. TOOL_MISSING; TOOL_DAMAGED. */
int users_get(struct pool *pool, const char *name, struct users_info *info);

#endif
