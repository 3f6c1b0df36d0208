/* SPDX-License-Identifier: MIT */
#include "inside.h"

int user_name_set(struct user *user, const char *name)
{
    size_t len = __builtin_strlen(name);

    if (len >= USER_NAME)
        return -TWZ_ENAMELEN;
    if (!user_name_is_valid(name, len))
        return -TWZ_EINVAL;
    __builtin_memset(user->name, 0, sizeof(user->name));
    __builtin_memcpy(user->name, name, len);
    return 0;
}

int user_init(const twzobj *obj, const struct user *first)
{
    return record_init(obj, &user_record, first);
}

int user_read(const twzobj *obj, struct user *user)
{
    return record_read_valid(obj, &user_record, user);
}

int user_write(const twzobj *obj, const struct user *user)
{
    return record_write(obj, &user_record, user);
}
