/* SPDX-License-Identifier: MIT */
/*
 * Records and their types (user, kring, kr), and ku: values, refused values, each field damaged,
 * each byte changed, each image that a power failure can leave of a change.
 */
#include <stdio.h>
#include <string.h>

#include <kr/kr.h>
#include <kring/kring.h>
#include <ku/ku.h>
#include <user/user.h>

#include "../../libtwz/test/host.h"

#define COPY(obj, n, size) \
    ((uint8_t *)twz_object_base(obj) + sizeof(struct record_head) + ((n)&1) * (size))

static twzobj object;

/* --- findings --------------------------------------------------------------------------------- */

struct findings {
    unsigned count;
    uint64_t off;
    const char *what;
};

static void keep_finding(void *ctx, uint64_t off, const char *what)
{
    struct findings *f = ctx;

    f->count++;
    f->off = off;
    f->what = what;
}

static void keep_line(void *ctx, const char *text)
{
    char *all = ctx;

    snprintf(all + strlen(all), 8192 - strlen(all), "%s\n", text);
}

/* The type says one problem, at `off` of the object, and show fails or prints. */
static void expect_problem(const char *what, uint64_t off)
{
    const struct type *type = type_of(&object);
    struct findings f = { 0 };
    char lines[8192] = "";

    CHECK(type && type->check(&object, keep_finding, &f) == 1);
    CHECK(f.count == 1 && strcmp(f.what, what) == 0 && f.off == off);
    CHECK(type->show(&object, keep_line, lines) == -TWZ_EDAMAGED && lines[0] == 0);
}

static void expect_good(const char *name)
{
    const struct type *type = type_of(&object);
    char lines[8192] = "";

    CHECK(type && strcmp(type->name, name) == 0);
    CHECK(type->check(&object, NULL, NULL) == 0);
    CHECK(type->show(&object, keep_line, lines) == 0 && lines[0] != 0);
}

static void new_object(void)
{
    host_reset();
    CHECK(twz_object_new(&object, NULL, NULL, TWZ_OC_PERSIST) == 0);
}

/* No change of one byte makes a function crash or loop, and what check accepts can be shown. */
static void flip_each_byte(uint8_t *from, size_t len)
{
    static const uint8_t masks[] = { 1, 0x80, 0xff };
    char lines[8192];

    for (size_t i = 0; i < len; i++) {
        for (size_t m = 0; m < sizeof(masks); m++) {
            const struct type *type;
            int problems;

            from[i] ^= masks[m];
            type = type_of(&object);
            problems = type ? type->check(&object, NULL, NULL) : 1;
            lines[0] = 0;
            if (type)
                CHECK((type->show(&object, keep_line, lines) == 0) == (problems == 0));
            from[i] ^= masks[m];
        }
    }
}

/* --- user ------------------------------------------------------------------------------------- */

static struct user make_user(void)
{
    struct user user = {
        .kuid = { 1, 2 }, .context = { 3, 4 }, .home = { 5, 6 }, .kring = { 7, 8 }
    };

    CHECK(user_name_set(&user, "anna-1") == 0);
    return user;
}

static void test_names(void)
{
    static const char *const good[] = { "a", "_x", "anna", "a-9_",
                                        "abcdefghijklmnopqrstuvwxyzabcde" };
    static const char *const bad[] = { "", "9a", "-a", "A", "a b", "a/b", "..", "\xc3\xa4", "a\n" };
    struct user user = { 0 };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(user_name_set(&user, good[i]) == 0 && strcmp(user.name, good[i]) == 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(user_name_set(&user, bad[i]) == -TWZ_EINVAL);
    CHECK(user_name_set(&user, "abcdefghijklmnopqrstuvwxyzabcdef") == -TWZ_ENAMELEN);
    CHECK(strcmp(user.name, good[4]) == 0);
}

static void test_user(void)
{
    struct user user = make_user(), got;
    uint8_t *copy;

    new_object();
    CHECK(!type_of(&object) && user_read(&object, &got) == -TWZ_ETYPE);
    CHECK(user_init(&object, &user) == 0 && user_init(&object, &user) == -TWZ_EEXIST);
    expect_good("user");
    CHECK(type_of_tag(USER_TAG) == type_of(&object) && !type_of_tag(0));
    CHECK(user_read(&object, &got) == 0 && memcmp(&got, &user, sizeof(user)) == 0);
    user.home = (objid_t){ 9, 9 };
    CHECK(user_write(&object, &user) == 0 && user_read(&object, &got) == 0);
    CHECK(got.home.lo == 9 && objid_equal(got.kuid, user.kuid));
    CHECK(record_is_zero(COPY(&object, 1, sizeof(user)), sizeof(user)));
    user.flags = 1;
    CHECK(user_write(&object, &user) == -TWZ_EINVAL && user_read(&object, &got) == 0);
    copy = COPY(&object, 2, sizeof(user));
    copy[offsetof(struct user, flags)] = 1;
    expect_problem("unknown flags of a user",
                   (uint64_t)(copy - object.start) + offsetof(struct user, flags));
    copy[offsetof(struct user, flags)] = 0;
    copy[USER_NAME - 1] = 'a';
    expect_problem("the name of the user is not valid", (uint64_t)(copy - object.start));
    copy[USER_NAME - 1] = 0;
    copy[offsetof(struct user, reserved) + 87] = 1;
    expect_problem("a reserved word is not 0",
                   (uint64_t)(copy - object.start) + offsetof(struct user, reserved));
    copy[offsetof(struct user, reserved) + 87] = 0;
    expect_good("user");
    flip_each_byte(twz_object_base(&object), sizeof(struct record_head) + 2 * sizeof(user));
}

/* --- the head of a record --------------------------------------------------------------------- */

static void test_head(void)
{
    struct user user = make_user(), got;
    struct record_head *head;
    struct kring ring;

    new_object();
    CHECK(user_init(&object, &user) == 0);
    head = twz_object_base(&object);
    CHECK(kring_read(&object, &ring) == -TWZ_ETYPE && kring_check(&object, NULL, NULL) < 0);
    head->version++;
    CHECK(user_read(&object, &got) == -TWZ_EVERSION && user_write(&object, &user) == -TWZ_EVERSION);
    head->version--;
    head->size += 64;
    expect_problem("the head is damaged", TWZ_OBJ_BASE);
    CHECK(user_write(&object, &user) == -TWZ_EDAMAGED);
    head->size -= 64;
    head->current = 0;
    expect_problem("the head is damaged", TWZ_OBJ_BASE);
    head->current = 1;
    head->magic ^= 1;
    CHECK(user_read(&object, &got) == -TWZ_ETYPE && user_check(&object, NULL, NULL) == -TWZ_ETYPE);
    head->magic ^= 1;
    host_touch_fail(-TWZ_ENOSPC);
    CHECK(user_write(&object, &user) == -TWZ_ENOSPC);
    host_touch_fail(0);
    expect_good("user");
}

/* --- kring ------------------------------------------------------------------------------------ */

static void test_kring(void)
{
    struct kring_key key = { .ku = { 1, 1 }, .trust = KRING_OWN, .purpose = KRING_SIGN };
    struct kring ring = { 0 }, got;
    struct kring *copy;
    uint64_t base;

    new_object();
    CHECK(kring_init(&object, &ring) == 0);
    for (uint64_t i = 0; i < KRING_MAX; i++) {
        key.ku.lo = i + 1;
        CHECK(kring_set(&ring, &key) == 0 && ring.count == i + 1);
    }
    key.ku.lo = 1000;
    CHECK(kring_set(&ring, &key) == -TWZ_EFULL);
    CHECK(kring_remove(&ring, (objid_t){ 5, 1 }) == 0 && !kring_find(&ring, (objid_t){ 5, 1 }));
    CHECK(kring_remove(&ring, (objid_t){ 5, 1 }) == -TWZ_ENONAME && ring.count == KRING_MAX - 1);
    key.ku.lo = 7;
    key.trust = KRING_NEVER;
    CHECK(kring_set(&ring, &key) == 0 && kring_find(&ring, key.ku)->trust == KRING_NEVER);
    key.trust = KRING_TRUSTS;
    CHECK(kring_set(&ring, &key) == -TWZ_EINVAL);
    CHECK(kring_write(&object, &ring) == 0 && kring_read(&object, &got) == 0);
    CHECK(memcmp(&ring, &got, sizeof(ring)) == 0);
    expect_good("kring");
    copy = (void *)COPY(&object, 2, sizeof(ring));
    base = (uint64_t)((uint8_t *)copy - object.start) + offsetof(struct kring, key);
    copy->key[3].trust = KRING_TRUSTS;
    expect_problem("the entry of a key is not valid", base + 3 * sizeof(key));
    copy->key[3].trust = KRING_OWN;
    copy->key[3].purpose = KRING_PURPOSE + 1;
    expect_problem("the entry of a key is not valid", base + 3 * sizeof(key));
    copy->key[3].purpose = 0;
    copy->key[9].ku = copy->key[2].ku;
    expect_problem("a second entry of a key", base + 9 * sizeof(key));
    copy->key[9].ku.lo = 2000;
    copy->key[KRING_MAX - 1].added_ns = 1;
    expect_problem("a key behind the last one", base + (KRING_MAX - 1) * sizeof(key));
    copy->key[KRING_MAX - 1].added_ns = 0;
    copy->count = KRING_MAX + 1;
    CHECK(kring_check(&object, NULL, NULL) == 2 && kring_read(&object, &got) == -TWZ_EDAMAGED);
    copy->count = KRING_MAX - 1;
    expect_good("kring");
    flip_each_byte((uint8_t *)copy, 8 * sizeof(key));
}

/* --- kr --------------------------------------------------------------------------------------- */

static void test_kr(void)
{
    struct kr kr = { .ku = { 1, 2 }, .protection = KR_ARGON2ID, .len = 312 }, got;
    uint64_t at;
    struct kr *copy;

    new_object();
    memset(kr.sealed, 0x5a, kr.len);
    kr.protection = 0;
    CHECK(kr_init(&object, &kr) == -TWZ_EINVAL && !type_of(&object));
    kr.protection = KR_ARGON2ID;
    CHECK(kr_init(&object, &kr) == 0 && kr_read(&object, &got) == 0);
    CHECK(memcmp(&kr, &got, sizeof(kr)) == 0);
    memset(kr.sealed, 0xa5, kr.len);
    CHECK(kr_write(&object, &kr) == 0 && kr_read(&object, &got) == 0 && got.sealed[0] == 0xa5);
    CHECK(record_is_zero(COPY(&object, 1, sizeof(kr)), sizeof(kr)));
    expect_good("kr");
    copy = (void *)COPY(&object, 2, sizeof(kr));
    at = (uint64_t)((uint8_t *)copy - object.start);
    copy->protection = 0;
    expect_problem("the keys are not sealed", at + offsetof(struct kr, protection));
    copy->protection = KR_ARGON2ID;
    copy->len = 311;
    expect_problem("bytes behind the sealed keys", at + offsetof(struct kr, sealed) + 311);
    copy->len = KR_SEALED + 1;
    expect_problem("the length of the sealed keys is not valid", at + offsetof(struct kr, len));
    copy->len = 312;
    copy->reserved[4] = 1;
    expect_problem("a reserved word is not 0", at + offsetof(struct kr, reserved));
    copy->reserved[4] = 0;
    expect_good("kr");
    flip_each_byte(twz_object_base(&object), sizeof(struct record_head) + 2 * sizeof(kr));
}

/* --- ku --------------------------------------------------------------------------------------- */

static void test_ku(void)
{
    struct sec_ku *ku;
    struct sec_ku got;

    new_object();
    CHECK(twz_touch(twz_object_base(&object), sizeof(*ku)) == 0);
    ku = twz_object_base(&object);
    *ku = (struct sec_ku){ .magic = SEC_KU_MAGIC, .version = 1, .algorithm = 1, .label = "anna" };
    memset(ku->signing, 1, SEC_KEY);
    memset(ku->recovery, 2, SEC_KEY);
    expect_good("ku");
    CHECK(ku_object_read(&object, &got) == 0 && memcmp(&got, ku, sizeof(got)) == 0);
    ku->version = 2;
    expect_problem("unknown version of a ku", TWZ_OBJ_BASE + offsetof(struct sec_ku, version));
    ku->version = 1;
    ku->algorithm = 2;
    expect_problem("unknown algorithm of a ku", TWZ_OBJ_BASE + offsetof(struct sec_ku, algorithm));
    ku->algorithm = 1;
    memset(ku->recovery, 1, SEC_KEY);
    expect_problem("the recovery key is missing, or is the signing key",
                   TWZ_OBJ_BASE + offsetof(struct sec_ku, recovery));
    memset(ku->recovery, 2, SEC_KEY);
    memset(ku->signing, 0, SEC_KEY);
    expect_problem("the signing key is missing", TWZ_OBJ_BASE + offsetof(struct sec_ku, signing));
    memset(ku->signing, 1, SEC_KEY);
    ku->label[SEC_LABEL - 1] = 'a';
    expect_problem("the label has no end, or bytes behind it",
                   TWZ_OBJ_BASE + offsetof(struct sec_ku, label));
    ku->label[SEC_LABEL - 1] = 0;
    flip_each_byte((uint8_t *)ku, sizeof(*ku));
}

/* --- power failure ---------------------------------------------------------------------------- */

static struct user old_user, new_user;
static unsigned points, bad;

/* On an image: the old or the new structure; the next change wipes the rest of the other. */
static int check_image(void *ctx)
{
    struct user got;
    bool is_new;

    (void)ctx;
    CHECK(user_check(&object, NULL, NULL) == 0 && user_read(&object, &got) == 0);
    is_new = memcmp(&got, &new_user, sizeof(got)) == 0;
    CHECK(is_new || memcmp(&got, &old_user, sizeof(got)) == 0);
    CHECK(user_write(&object, &got) == 0);
    CHECK(record_is_zero(COPY(&object, is_new ? 2 : 1, sizeof(got)), sizeof(got)));
    return 0;
}

static void on_point(void *ctx)
{
    (void)ctx;
    points++;
    bad += host_images(points, check_image, NULL) < 0;
}

static int check_durable(void *ctx)
{
    struct user got;

    (void)ctx;
    CHECK(user_read(&object, &got) == 0 && memcmp(&got, &new_user, sizeof(got)) == 0);
    CHECK(record_is_zero(COPY(&object, 1, sizeof(got)), sizeof(got)));
    return 0;
}

/* Is each image of a change good? */
static bool survives_a_change(void)
{
    points = bad = 0;
    new_object();
    CHECK(user_init(&object, &old_user) == 0);
    host_crash_points(on_point, NULL);
    CHECK(user_write(&object, &new_user) == 0);
    bad += host_images(1000, check_durable, NULL) <= 0;
    host_crash_points(NULL, NULL);
    return bad == 0;
}

static void test_crash(void)
{
    char name[200];
    unsigned left_out = 0;

    old_user = make_user();
    new_user = old_user;
    new_user.home = (objid_t){ 50, 51 };
    CHECK(user_name_set(&new_user, "berta") == 0);
    CHECK(survives_a_change() && points >= 3);
    host_quiet(1);
    for (size_t site = 0; site < host_sites(); site++) {
        host_site_name(site, name, sizeof(name));
        if (!host_site_exists(site) || strncmp(name, "replace_locked", 14) != 0)
            continue;
        host_skip_site(site);
        CHECK(!survives_a_change());
        left_out++;
    }
    host_skip_site(HOST_NO_SITE);
    host_quiet(0);
    CHECK(left_out >= 5);
}

int main(void)
{
    test_names();
    test_user();
    test_head();
    test_kring();
    test_kr();
    test_ku();
    test_crash();
    printf("7 passed, 0 failed\n");
    return 0;
}
