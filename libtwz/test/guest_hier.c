/* SPDX-License-Identifier: MIT */
/*
 * Directories under contention. Threads create, link, remove, and rename between two directories in
 * both directions, while others read. Then processes are killed while they do the same; after each,
 * the next thread must find both directories in order.
 */
#include <hier/hier.h>
#include <twz/call.h>
#include <twz/threads.h>

#include "guest.h"

#define WORKERS 4u
#define ROUNDS  40u
#define KILLS   12u

static twzobj left, right;

static struct hier_name name_of(char *text, char kind, uint32_t who, uint32_t i)
{
    text[0] = kind;
    text[1] = (char)('0' + who);
    text[2] = (char)('a' + i % 5);
    return (struct hier_name){ text, 3 };
}

static void run_round(const twzobj *a, const twzobj *b, uint32_t who, uint32_t i)
{
    struct hier_create file = { .kind = HIER_OBJECT };
    struct hier_create dir = { .kind = HIER_DIR };
    char t1[3], t2[3], t3[3];
    struct hier_name f = name_of(t1, 'f', who, i);
    struct hier_name g = name_of(t2, 'g', who, i);
    struct hier_name d = name_of(t3, 'd', who, i);
    struct hier_found found;
    int err;

    err = hier_create(a, f, &file, NULL);
    CHECK(err == 0 || err == -TWZ_EEXIST);
    if (hier_lookup(a, f, &found) == 0)
        (void)!hier_link(b, g, &found);
    err = hier_rename(a, f, b, f, HIER_DELETE);
    CHECK(err == 0 || err == -TWZ_ENONAME);
    err = hier_create(b, d, &dir, NULL);
    CHECK(err == 0 || err == -TWZ_EEXIST);
    err = hier_rename(b, d, a, d, HIER_DELETE);
    CHECK(err == 0 || err == -TWZ_ENONAME);
    (void)!hier_remove(b, g, HIER_DELETE);
    if (i % 3 == 0)
        (void)!hier_remove(b, f, HIER_DELETE);
    if (i % 2 == 0)
        (void)!hier_remove(a, d, HIER_WANT_DIR);
}

static void run_rounds(void *arg)
{
    uint32_t who = *(uint32_t *)arg;

    for (uint32_t i = 0; i < ROUNDS; i++)
        run_round(who % 2 ? &left : &right, who % 2 ? &right : &left, who, i);
}

static void read_names(void *arg)
{
    struct hier_item item;

    while (!__atomic_load_n((uint64_t *)arg, __ATOMIC_ACQUIRE)) {
        uint64_t cursor = 0;
        int err;

        while ((err = hier_iter(&left, &cursor, &item)) == 1)
            CHECK(item.len == 3);
        CHECK(err == 0);
    }
}

static void open_both(void)
{
    char path[32];

    (void)!twz_name_mkdir("/data/left");
    (void)!twz_name_mkdir("/data/right");
    CHECK(twz_object_init_name(&left, "/data/left", TWZ_READ | TWZ_WRITE) == 0);
    CHECK(twz_object_init_name(&right, "/data/right", TWZ_READ | TWZ_WRITE) == 0);
    CHECK(hier_path_of(twz_name_root(), left.id, path, sizeof(path)) == 10);
    for (int i = 0; i < 10; i++)
        CHECK(path[i] == "/data/left"[i]);
}

/* The directory passes hier_check, and each name means an object that exists. */
static void check_dir(const twzobj *dir)
{
    struct hier_item item;
    uint64_t cursor = 0;
    struct twz_stat stat;
    uint32_t names = 0;

    CHECK(hier_check(dir, NULL, NULL) == 0);
    while (hier_iter(dir, &cursor, &item) == 1) {
        names++;
        CHECK(twz_object_stat(item.found.id, &stat) == 0 && !(stat.flags & TWZ_OBJ_DELETED));
    }
    CHECK(names == hier_count(dir));
}

static void remove_all(const twzobj *dir)
{
    struct hier_item item;
    uint64_t cursor = 0;

    while (hier_iter(dir, &cursor, &item) == 1)
        CHECK(hier_remove(dir, (struct hier_name){ item.name, item.len }, HIER_DELETE) == 0);
    CHECK(hier_count(dir) == 0);
}

void test_hier_threads(void)
{
    struct twz_thrd threads[WORKERS], read;
    struct twz_thrd_spawn spawn = { .fn = run_rounds };
    struct twz_fault fault;
    uint32_t who[WORKERS];
    uint64_t stop = 0;

    open_both();
    for (uint32_t i = 0; i < WORKERS; i++) {
        who[i] = i;
        spawn.arg = &who[i];
        CHECK(twz_thread_spawn(&threads[i], &spawn) == 0);
    }
    spawn.fn = read_names;
    spawn.arg = &stop;
    CHECK(twz_thread_spawn(&read, &spawn) == 0);
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK(twz_thread_wait(&threads[i], NULL, &fault) == 0);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    CHECK(twz_thread_wait(&read, NULL, &fault) == 0);
    check_dir(&left);
    check_dir(&right);
    remove_all(&left);
    remove_all(&right);
}

_Noreturn void hier_child(void)
{
    open_both();
    for (uint32_t i = 0;; i++)
        run_round(i % 2 ? &left : &right, i % 2 ? &right : &left, 9, i);
}

void test_hier_kills(void)
{
    struct twz_program_end end;
    struct twz_process process;

    open_both();
    for (uint32_t i = 0; i < KILLS; i++) {
        run_child("h", 0, &process);
        sleep_until(twz_clock() + 2000000 + i * 1370000);
        CHECK(twz_program_signal(&process, TWZ_SIGNAL_KILL, 0) == 0);
        CHECK(twz_program_wait(&process, TWZ_FOREVER, &end) == 0 &&
              end.code == TWZ_EXIT_BY_SIGNAL(TWZ_SIGNAL_KILL));
        run_round(&left, &right, 1, i);
        check_dir(&left);
        check_dir(&right);
    }
    remove_all(&left);
    remove_all(&right);
}
