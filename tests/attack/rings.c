/* SPDX-License-Identifier: MIT */
/*
 * rings kernel | input | control | counters N | parent N: attacks the link to the host.
 *
 *   kernel      stores to a counter of the kernel
 *   input       stores to the bytes from the host
 *   control     looks for the control port, with which a program could speak for init
 *   counters N  stores the Nth bad value in each counter of user code; ends with status 3
 *   parent N    lets a child do that; copies its input to its output then; ends with status 4
 */
#include <spawn.h>
#include <sys/wait.h>

#include "attack.h"

extern char **environ;

static struct twz_console *kernel_words(void)
{
    return (struct twz_console *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_OBJ_BASE);
}

static struct twz_console_user *user_words(void)
{
    return (struct twz_console_user *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_CONSOLE_USER);
}

static uint64_t bad_value(unsigned n, uint64_t good)
{
    switch (n) {
    case 0: return good - 1;
    case 1: return good + TWZ_RING_MAX + 1;
    case 2: return ~0ull;
    case 3: return 1ull << 63;
    default: return good - TWZ_RING_MAX;
    }
}

static int store_bad_counters(unsigned n)
{
    puts("before");
    fflush(stdout);
    for (unsigned port = TWZ_PORT_IN; port < TWZ_PORTS; port++) {
        struct twz_port_user *user = &user_words()->port[port];

        user->out_tail = bad_value(n, user->out_tail);
        user->out_retired = user->in_released = ~0ull;
        user->in_head = bad_value(n, user->in_head);
    }
    return 3;
}

/* Every object that a program can find without a name is a child of the root KSO. */
static int find_control_port(void)
{
    const struct twz_kso_dir *root =
        (const void *)attack_map(ATTACK_SLOT, attack_system()->kso_root, TWZ_READ);
    unsigned devices = 0;

    for (uint32_t i = 0; i < root->count; i++) {
        const struct twz_kso_child *child = &root->child[i];
        const struct twz_console *page;

        if (child->kind != TWZ_KIND_DEVICE)
            continue;
        devices++;
        page = (const void *)attack_map(ATTACK_SLOT + 1, child->id, TWZ_READ);
        if (page->ports & 1u << TWZ_PORT_CTL)
            return 1;
        if (twz_sys_dev_ctl(child->id, TWZ_DEV_NOTIFY, TWZ_PORT_CTL) >= 0)
            return 2;
    }
    printf("%u devices, no control port\n", devices);
    fflush(stdout);
    return *(volatile char *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONTROL) + TWZ_OBJ_BASE);
}

static int spawn_and_copy(char *self, char *n)
{
    char *argv[] = { self, "counters", n, NULL };
    char bytes[4096];
    ssize_t got;
    pid_t pid;
    int what;

    if (posix_spawn(&pid, self, NULL, NULL, argv, environ) != 0 || waitpid(pid, &what, 0) != pid ||
        WEXITSTATUS(what) != 3)
        return 1;
    while ((got = read(0, bytes, sizeof(bytes))) > 0) {
        for (ssize_t at = 0; at < got;) {
            ssize_t put = write(1, bytes + at, (size_t)(got - at));

            if (put <= 0)
                return 2;
            at += put;
        }
    }
    return 4;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";

    if (!strcmp(how, "kernel"))
        kernel_words()->port[TWZ_PORT_OUT].out_head = 0;
    else if (!strcmp(how, "input"))
        *(volatile char *)(TWZ_SLOT_ADDR(TWZ_SLOT_CONSOLE) + TWZ_RING_IN(TWZ_PORT_IN)) = 1;
    else if (!strcmp(how, "control"))
        return find_control_port();
    else if (!strcmp(how, "counters") && argc > 2)
        return store_bad_counters((unsigned)atoi(argv[2]));
    else if (!strcmp(how, "parent") && argc > 2)
        return spawn_and_copy(argv[0], argv[2]);
    return 99;
}
