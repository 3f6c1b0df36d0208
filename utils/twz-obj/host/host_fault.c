/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "host_fault.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"

struct fault_text {
    char text[512];
    size_t len;
};

static struct {
    struct {
        uintptr_t base;
        uint64_t size;
    } range[HOST_FAULT_RANGES];
    struct fault_text storage, damage;
} fault;

static _Noreturn void end_with_text(const struct fault_text *text, enum tool_exit code)
{
    ssize_t n = write(STDERR_FILENO, text->text, text->len);

    (void)n;
    _exit((int)code);
}

static bool is_watched(const void *addr)
{
    for (int i = 0; i < HOST_FAULT_RANGES; i++) {
        if ((uintptr_t)addr - fault.range[i].base < fault.range[i].size)
            return true;
    }
    return false;
}

static void handle_fault(int signo, siginfo_t *info, void *context)
{
    bool watched = info->si_code > 0 && is_watched(info->si_addr);
    bool failing = info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;

    (void)context;
    if (signo == SIGBUS && watched && !failing)
        host_storage_lost();
    if (watched)
        end_with_text(&fault.damage, TOOL_DAMAGED);
    signal(signo, SIG_DFL);
    raise(signo); /* delivered when the handler returns */
}

void host_storage_lost(void)
{
    end_with_text(&fault.storage, TOOL_FULL);
}

void host_fault_catch(void)
{
    struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO };

    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
}

static void set_text(struct fault_text *fault_text, const char *path, const char *what,
                     const char *todo)
{
    char *text = fault_text->text;

    snprintf(text, sizeof(fault_text->text) - 1, "twz-obj: %.200s: %s: %s", path, what, todo);
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    }
    fault_text->len = strlen(text) + 1;
    text[fault_text->len - 1] = '\n';
}

void host_fault_prepare(const char *path)
{
    set_text(&fault.storage, path,
             "the host gave no storage (its disk is full, or the file was cut short)",
             "free disk space; the pool is as it was before or after the last step");
    set_text(&fault.damage, path, "damaged: its contents led to an address that holds nothing",
             fail_damaged_todo());
}

void host_fault_watch(enum host_fault_range range, const void *base, uint64_t size)
{
    fault.range[range].size = 0;
    fault.range[range].base = (uintptr_t)base;
    fault.range[range].size = size;
}
