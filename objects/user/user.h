/* SPDX-License-Identifier: MIT */
/* user: the record of a person or service. layout.h; contracts and errors as in common/record.h. */
#ifndef USER_H
#define USER_H

#include <common/record.h>
#include <user/layout.h>

/* Set the name of a blank structure. -TWZ_EINVAL: no such name; -TWZ_ENAMELEN. */
TWZ_CHECKED int user_name_set(struct user *user, const char *name);

TWZ_CHECKED int user_init(const twzobj *obj, const struct user *first);
TWZ_CHECKED int user_read(const twzobj *obj, struct user *user); /* valid, or -TWZ_EDAMAGED */
TWZ_CHECKED int user_write(const twzobj *obj, const struct user *user);

/* As in struct type (common/type.h). */
TWZ_CHECKED int user_check(const twzobj *obj, type_found found, void *ctx);
TWZ_CHECKED int user_show(const twzobj *obj, type_line line, void *ctx);

#endif
