/* SPDX-License-Identifier: MIT */
/*
 * The invariants of a user:
 *   - The name is one that user_name_set accepts, and the bytes behind it are 0.
 *   - flags and reserved words are 0.
 */
#include "inside.h"

static bool is_name_letter(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || c == '_' || (!first && ((c >= '0' && c <= '9') || c == '-'));
}

bool user_name_is_valid(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!is_name_letter(name[i], i == 0))
            return false;
    }
    return len > 0 && len < USER_NAME;
}

static bool has_valid_name(const struct user *user)
{
    size_t len = 0;

    while (len < USER_NAME && user->name[len])
        len++;
    return user_name_is_valid(user->name, len) && record_is_zero(user->name + len, USER_NAME - len);
}

static int inspect_user(const void *structure, type_found found, void *ctx)
{
    const struct user *user = structure;
    int problems = record_expect(has_valid_name(user), found, ctx, offsetof(struct user, name),
                                 "the name of the user is not valid");

    problems += record_expect(user->flags == 0, found, ctx, offsetof(struct user, flags),
                              "unknown flags of a user");
    problems += record_expect(record_is_zero(user->reserved, sizeof(user->reserved)), found, ctx,
                              offsetof(struct user, reserved), "a reserved word is not 0");
    return problems;
}

const struct record_type user_record = {
    .tag = USER_TAG,
    .magic = USER_MAGIC,
    .version = USER_VERSION,
    .size = sizeof(struct user),
    .inspect = inspect_user,
};

int user_check(const twzobj *obj, type_found found, void *ctx)
{
    return record_check(obj, &user_record, found, ctx);
}
