/* SPDX-License-Identifier: MIT */
/*
 * A password vault in two processes. This one asks, and has no right on the data; vault-keeper.c
 * has the data, and is called through gates.
 *
 *   vault put NAME SECRET    keep a secret
 *   vault get NAME           print it
 *   vault remove NAME        forget it
 *   vault count              how many there are
 *   vault check              0: the data are sound
 *   vault peek               try to read the data without the keeper, which is refused
 */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <twz/context.h>
#include <twz/faults.h>
#include <twz/name.h>
#include <unistd.h>
#include "vault.h"

extern char **environ;

static int complain(const char *what, int err)
{
    fprintf(stderr, "vault: %s: %s\n", what, twz_error_text(err));
    return 1;
}

/* Starts the keeper, and waits until it can be called. */
static pid_t start_keeper(void)
{
    char *argv[] = { "vault", "keeper", NULL };
    posix_spawn_file_actions_t actions;
    int fd[2];
    char byte;
    pid_t pid;
    int err;

    if (pipe(fd) < 0 || posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    posix_spawn_file_actions_adddup2(&actions, fd[1], 1);
    posix_spawn_file_actions_addclose(&actions, fd[0]);
    posix_spawn_file_actions_addclose(&actions, fd[1]);
    err = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    if (err != 0) {
        fprintf(stderr, "vault: keeper: %s\n", strerror(err));
        return -1;
    }
    posix_spawn_file_actions_destroy(&actions);
    close(fd[1]);
    if (read(fd[0], &byte, 1) != 1)
        return -1;
    close(fd[0]);
    return pid;
}

/* From here on, this program has no right on the vault's data, and cannot get it back. */
static int drop_rights(void)
{
    objid_t context, data;
    int err = twz_name_resolve(VAULT_DATA, &data);

    if (err == 0)
        err = twz_context_new(&context);
    if (err == 0)
        err = twz_context_mask(context, data, 0);
    return err < 0 ? err : twz_context_enter(context);
}

static void load_byte(void *arg)
{
    (void)*(volatile char *)arg;
}

static int peek(void)
{
    struct twz_fault fault;
    char text[256];
    twzobj obj;
    int err = twz_object_init_name(&obj, VAULT_DATA, TWZ_READ);

    if (err < 0)
        return complain("the data", err);
    if (!twz_try(load_byte, twz_object_base(&obj), &fault)) {
        printf("the data can be read\n");
        return 0;
    }
    twz_fault_print(&fault, text, sizeof(text));
    fprintf(stderr, "vault: the data: %s\n", text);
    return 1;
}

static int ask(const struct twz_gates *gates, const char *what, const char *name,
               const char *secret)
{
    struct vault_message *m;
    twzobj obj;
    int err = twz_object_new(&obj, NULL, NULL, TWZ_OC_DFL_READ | TWZ_OC_DFL_WRITE);

    if (err < 0)
        return complain(name, err);
    m = twz_object_base(&obj);
    strncpy(m->name, name, VAULT_NAME - 1);
    strncpy(m->secret, secret, VAULT_SECRET - 1);
    if (strcmp(what, "put") == 0)
        err = (int)vault_put(gates, obj.id.lo, obj.id.hi);
    else if (strcmp(what, "get") == 0)
        err = (int)vault_get(gates, obj.id.lo, obj.id.hi);
    else
        err = (int)vault_remove(gates, obj.id.lo, obj.id.hi);
    if (err < 0)
        return complain(name, err);
    if (strcmp(what, "get") == 0)
        printf("%.*s\n", (int)VAULT_SECRET, m->secret);
    memset(m, 0, sizeof(*m));
    twz_object_release(&obj);
    return 0;
}

/* Keeps the data until a signal ends it. Its standard output tells when it can be called. */
static int keep(void)
{
    int err = vault_start();

    if (err < 0)
        return complain("keeper", err);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}

static int serve(int argc, char **argv)
{
    struct twz_gates gates;
    int err = twz_service_open(VAULT_SERVICE, &gates);

    if (err == 0)
        err = drop_rights();
    if (err < 0)
        return complain(VAULT_SERVICE, err);
    if (strcmp(argv[1], "peek") == 0)
        return peek();
    if (strcmp(argv[1], "count") == 0)
        return printf("%lld\n", (long long)vault_count(&gates)) < 0;
    if (strcmp(argv[1], "check") == 0)
        return vault_check(&gates) == 1 ? 0 : 1;
    return ask(&gates, argv[1], argv[2], argc > 3 ? argv[3] : "");
}

int main(int argc, char **argv)
{
    int status;
    pid_t keeper;

    if (argc == 2 && strcmp(argv[1], "keeper") == 0)
        return keep();
    if (argc < 2 || (argc < 3 && strcmp(argv[1], "peek") != 0 && strcmp(argv[1], "count") != 0 &&
                     strcmp(argv[1], "check") != 0)) {
        fprintf(stderr, "usage: vault put NAME SECRET | get NAME | remove NAME | count | check | "
                        "peek\n");
        return 2;
    }
    setenv("PATH", "/bin:/host", 0); /* where ./twz run installs programs of the host */
    keeper = start_keeper();
    if (keeper < 0) {
        fprintf(stderr, "vault: the keeper does not start\n");
        return 1;
    }
    status = serve(argc, argv);
    kill(keeper, SIGKILL);
    waitpid(keeper, NULL, 0);
    return status;
}
