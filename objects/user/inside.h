/* SPDX-License-Identifier: MIT */
/* Declarations that the files of user share. */
#ifndef USER_INSIDE_H
#define USER_INSIDE_H

#include <user/user.h>

extern const struct record_type user_record;

bool user_name_is_valid(const char *name, size_t len);

#endif
