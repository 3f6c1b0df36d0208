/* SPDX-License-Identifier: MIT */
/*
 * flood spawn | pages | threads | objects | views | ties | pool: takes of one thing as much as
 * there is, and ends with status 7, or by the fault that it gets instead of an error.
 */
#include <pthread.h>
#include <spawn.h>

#include "attack.h"

#define RIGHTS (TWZ_READ | TWZ_WRITE | TWZ_USE | TWZ_DEL)
#define ENOUGH 2000000

extern char **environ;

static int64_t create(uint32_t flags, uint32_t kind, objid_t tie, objid_t *id)
{
    struct twz_create spec = { .flags = flags, .perms = RIGHTS, .kind = kind, .tie = tie };

    return twz_sys_obj_create(&spec, id);
}

/* Each child does the same, so that processes are all that there is in the end. */
static int spawn_children(char *self)
{
    char *argv[] = { self, "child", NULL };
    pid_t pid;

    for (int i = 0; i < 62; i++) {
        int error = posix_spawn(&pid, self, NULL, NULL, argv, environ);

        if (error) {
            printf("%d children, then error %d\n", i, error);
            break;
        }
    }
    return 7;
}

static void fill_pages(void)
{
    for (;;) {
        char *bytes;
        objid_t id;

        if (create(0, TWZ_KIND_DATA, TWZ_OBJID_NONE, &id) < 0)
            return;
        bytes = attack_map(ATTACK_SLOT, id, TWZ_READ | TWZ_WRITE);
        for (uint64_t at = 0; at < TWZ_OBJ_DATA_MAX; at += TWZ_PAGE_SIZE)
            *(volatile char *)(bytes + at) = 1;
    }
}

static void *pause_thread(void *arg)
{
    while (!arg)
        pause();
    return NULL;
}

static void start_threads(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 16384);
    while (pthread_create(&thread, &attr, pause_thread, NULL) == 0)
        ;
}

static void create_objects(uint32_t flags, uint32_t kind, bool tied)
{
    objid_t parent = TWZ_OBJID_NONE, id;

    if (tied && create(flags, TWZ_KIND_DATA, TWZ_OBJID_NONE, &parent) < 0)
        return;
    for (int i = 0; i < ENOUGH && create(flags, kind, parent, &id) >= 0; i++)
        ;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (!strcmp(how, "spawn"))
        return spawn_children(argv[0]);
    if (!strcmp(how, "child"))
        (void)spawn_children(argv[0]);
    if (!strcmp(how, "child"))
        (void)pause_thread(NULL);
    if (!strcmp(how, "pages"))
        fill_pages();
    else if (!strcmp(how, "threads"))
        start_threads();
    else if (!strcmp(how, "objects"))
        create_objects(0, TWZ_KIND_DATA, false);
    else if (!strcmp(how, "views"))
        create_objects(0, TWZ_KIND_VIEW, false);
    else if (!strcmp(how, "ties"))
        create_objects(0, TWZ_KIND_DATA, true);
    else if (!strcmp(how, "pool"))
        create_objects(TWZ_OBJ_PERSIST, TWZ_KIND_DATA, false);
    else
        return 99;
    puts("full");
    return 7;
}
