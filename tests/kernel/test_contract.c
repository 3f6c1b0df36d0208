/* SPDX-License-Identifier: MIT */
/* The contract of the object calls: structs that may grow, accounts and classes, and what the
 * kernel refuses because it does not know it. */
#include "user.h"

static struct twz_stat stat_of(objid_t id)
{
    struct twz_stat stat = { .kind = 99 };

    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&stat)), 0);
    return stat;
}

/* A struct that may grow: the sizes that the kernel takes, and what it does with the bytes that it
 * does not know. */
static void test_sized_arguments(void)
{
    struct {
        struct twz_create known;
        uint64_t more[2];
    } spec = { .known = { .perms = TWZ_PERMS } };
    struct {
        struct twz_stat known;
        uint64_t more[2];
    } answer = { .more = { 1, 1 } };
    uint64_t zeros[TWZ_SIZED_MAX / 8 + 1] = { 0 }; /* an object without rights */
    objid_t id, closed;

    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), 0);
    spec.more[1] = 1;
    CHECK_IS(CALL(obj_create, SIZED(&spec), &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, &spec, sizeof(spec.known), &id), 0);
    CHECK_IS(CALL(obj_create, &spec, TWZ_CREATE_MIN - 8, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, &spec, sizeof(spec.known) + 4, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, zeros, TWZ_SIZED_MAX, &closed), 0);
    CHECK_IS(CALL(obj_create, zeros, TWZ_SIZED_MAX + 8, &closed), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_create, &spec, UINT64_MAX & ~7ull, &id), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_stat, IDARG(id), SIZED(&answer)), 0);
    CHECK(objid_equal(answer.known.id, id));
    CHECK(answer.more[0] == 0 && answer.more[1] == 0);
    CHECK_IS(CALL(obj_stat, IDARG(id), &answer, TWZ_STAT_MIN - 8), -TWZ_EINVAL);
    CHECK_IS(CALL(obj_copy, &spec, TWZ_COPY_MIN - 8, 1), -TWZ_EINVAL);
}

/* An account must be an ACCOUNT object on which the creator has USE. */
static void test_account(void)
{
    objid_t account = user_object(TWZ_OBJ_PERSIST, TWZ_USE, TWZ_KIND_ACCOUNT);
    objid_t closed = user_object(0, TWZ_READ, TWZ_KIND_ACCOUNT),
            data = user_object(0, TWZ_PERMS, 0);
    struct twz_create spec = { .flags = TWZ_OBJ_PERSIST, .perms = TWZ_READ, .account = account };
    struct twz_stat stat;
    objid_t id;

    CHECK_IS(user_create(&spec, &id), 0);
    stat = stat_of(id);
    CHECK(objid_equal(stat.account, account));
    CHECK_IS(stat.rights, TWZ_READ);
    spec.account = closed;
    CHECK_IS(user_create(&spec, &id), -TWZ_EDENIED);
    spec.account = data;
    CHECK_IS(user_create(&spec, &id), -TWZ_ETYPE);
    spec.account = (objid_t){ 4, 5 };
    CHECK_IS(user_create(&spec, &id), -TWZ_ENOOBJ);
    spec.account = account;
    spec.class_ = TWZ_CLASS_DURABLE + 1;
    CHECK_IS(user_create(&spec, &id), -TWZ_EINVAL);
}

void test_main(void)
{
    user_handlers();
    test_sized_arguments();
    test_account();
}
