/* SPDX-License-Identifier: MIT */
/*
 * parent own HOW | spawn HOW | search | signal: a program against the one that started it.
 *
 *   own HOW     destroys its own thread object, which its parent watches. HOW: delete, now, perms,
 *               generation (a false one), exit (a false end)
 *   spawn HOW   lets a child do that, and prints how the child ended
 *   search      looks for an ID in all that a parent gives a child: arguments, view, thread page
 *   signal      twin: signals its child, then itself
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <twz/program.h>
#include <twz/thread.h>

#include "attack.h"

extern char **environ;

static struct twz_thread *own_page(void)
{
    return twz_thread_repr_base();
}

static int destroy_own(const char *how)
{
    objid_t id = own_page()->id;

    if (!strcmp(how, "delete"))
        return twz_sys_obj_delete(id, TWZ_DELETE_DEFERRED) < 0;
    if (!strcmp(how, "now"))
        return twz_sys_obj_delete(id, TWZ_DELETE_NOW) < 0;
    if (!strcmp(how, "perms"))
        return twz_sys_obj_ctl(id, TWZ_CTL_PERMS, 0) < 0;
    if (!strcmp(how, "generation"))
        own_page()->generation = 0;
    if (!strcmp(how, "exit"))
        own_page()->exit = 1;
    return 5;
}

static pid_t spawn_self(char *self, char *how, char *arg)
{
    char *argv[] = { self, how, arg, NULL };
    pid_t pid;
    int error = posix_spawn(&pid, self, NULL, NULL, argv, environ);

    return error ? -error : pid;
}

static bool watch_child(char *self, char *how)
{
    pid_t pid = spawn_self(self, "own", how);
    int what = 0;

    if (pid == -EAGAIN) {
        puts("no child");
        return true;
    }
    if (pid < 0 || waitpid(pid, &what, 0) != pid)
        return false;
    printf("%s %d\n", WIFSIGNALED(what) ? "signal" : "status",
           WIFSIGNALED(what) ? WTERMSIG(what) : WEXITSTATUS(what));
    return true;
}

/* Is it the ID of a thread object or a view other than this program's own? */
static bool is_foreign(objid_t id)
{
    const struct twz_record *view = (const void *)(own_page()->view + TWZ_OBJ_RECORD);
    struct twz_stat stat = { 0 };

    if (objid_equal(id, view->id) || objid_equal(id, own_page()->id) ||
        twz_sys_obj_stat(id, &stat) < 0)
        return false;
    return stat.kind == TWZ_KIND_THREAD || stat.kind == TWZ_KIND_VIEW;
}

/* Every pair of words in the page may be an ID. */
static bool search_page(const char *name, uint64_t at)
{
    const uint64_t *word = (const uint64_t *)at;

    for (unsigned i = 0; i + 1 < TWZ_PAGE_SIZE / sizeof(*word); i++) {
        objid_t id = { word[i], word[i + 1] };

        if (is_foreign(id)) {
            printf("%s word %u names a foreign thread or view\n", name, i);
            return true;
        }
    }
    return false;
}

static int search_for_parent(void)
{
    const struct twz_view_entry *entry = (const void *)(own_page()->view + TWZ_VIEW_TABLE);
    bool found = search_page("args", own_page()->args);

    found |= search_page("thread", own_page()->self);
    found |= search_page("system", TWZ_SLOT_ADDR(TWZ_SLOT_SYSTEM) + TWZ_OBJ_BASE);
    found |=
        search_page("root", (uint64_t)attack_map(ATTACK_SLOT, attack_system()->kso_root, TWZ_READ));
    for (uint32_t slot = 0; slot < TWZ_SLOTS; slot++) {
        if (!(entry[slot].flags & TWZ_VE_VALID) || !is_foreign(entry[slot].id))
            continue;
        printf("slot %u maps a foreign thread or view\n", slot);
        found = true;
    }
    puts(found ? "found" : "nothing found");
    return 0;
}

static int signal_child(char *self)
{
    pid_t pid = spawn_self(self, "pause", NULL);
    int what;

    if (pid < 0 || kill(pid, SIGTERM) < 0 || waitpid(pid, &what, 0) != pid || !WIFSIGNALED(what) ||
        WTERMSIG(what) != SIGTERM)
        return 1;
    puts("the child ended by the signal");
    fflush(stdout);
    return raise(SIGTERM);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (!strcmp(how, "own") && argc > 2)
        return destroy_own(argv[2]);
    if (!strcmp(how, "spawn") && argc > 2)
        return !watch_child(argv[0], argv[2]);
    if (!strcmp(how, "search"))
        return search_for_parent();
    if (!strcmp(how, "signal"))
        return signal_child(argv[0]);
    for (;;)
        pause();
}
