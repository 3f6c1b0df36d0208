/* SPDX-License-Identifier: MIT */
/* The test platform's faults: a signal of an access becomes a fault of the innermost catch. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <twz/guard.h>

#include "../src/platform.h"
#include "host_inside.h"

_Noreturn void twz_catch_resume(struct twz_catch *c);
int twz_catch_begin(struct twz_catch *c);

static struct twz_catch *innermost;
static struct twz_guard *guard;

int twz_catch_begin(struct twz_catch *c)
{
    plat_catch_again(c);
    return 0;
}

void plat_catch_again(struct twz_catch *c)
{
    c->outer = innermost;
    innermost = c;
}

void twz_catch_end(struct twz_catch *c)
{
    innermost = c->outer;
}

int twz_try(void (*fn)(void *arg), void *arg, struct twz_fault *fault)
{
    struct twz_catch c;

    if (twz_catch(&c)) {
        *fault = c.fault;
        return 1;
    }
    fn(arg);
    twz_catch_end(&c);
    return 0;
}

void twz_fault_raise(const struct twz_fault *fault)
{
    struct twz_catch *c = innermost;

    if (c) {
        innermost = c->outer;
        c->fault = *fault;
        twz_catch_resume(c);
    }
    host_fail(__FILE__, __LINE__, "a fault that no guard knows");
}

struct twz_guard **plat_guard(void)
{
    return &guard;
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
    struct twz_catch *c = innermost;

    (void)context;
    if (!c) {
        struct sigaction none = { .sa_handler = SIG_DFL };

        sigaction(signal, &none, NULL); /* the access runs again, and ends the process */
        return;
    }
    innermost = c->outer;
    c->fault =
        (struct twz_fault){ .kind = TWZ_FAULT_PAGE, .addr = (uint64_t)(uintptr_t)info->si_addr };
    twz_catch_resume(c);
}

void host_page_protect(const twzobj *obj, uint64_t off, int prot)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_NODEFER };

    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    CHECK(mprotect(obj->start + off, TWZ_PAGE_SIZE, prot) == 0);
}
