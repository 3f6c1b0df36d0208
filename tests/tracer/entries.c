/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU TCG plugin that measures how long the kernel keeps interrupts off. It counts the
 * instructions of each kernel entry, from user code until the return or the next interrupt window
 * (sti, hlt). It leaves out the boot, and the last entry, which ends with the machine. When the
 * machine ends it writes the WORST longest entries to `out`, a line each,
 *
 *   INSTRUCTIONS USER-ADDRESS KERNEL-ADDRESS
 *
 * with the address of the last block of user code before the entry, and of the kernel's block in
 * which the entry passed `limit` instructions (0: it did not).
 *
 * With `mark` it also writes, first, the longest entry of each interval, as "interval", then the
 * same three numbers. An interval ends when the kernel runs the block at that address.
 *
 *   -plugin FILE.so,out=FILE[,limit=N][,mark=ADDRESS]
 *
 * One core, single-threaded TCG. A block is counted whole when it starts. User code lies above the
 * first GiB of the lower half of the address space (without the firmware), the kernel in the upper
 * half.
 */
#include "plugin_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORST    16u
#define USER     (1ull << 30)
#define USER_END (1ull << 47)
#define FIRMWARE 0xfffull /* MiB: the last one below 4 GiB */

int qemu_plugin_version = PLUGIN_API_VERSION;

struct entry {
    uint64_t length;
    uint64_t user;
    uint64_t kernel;
};

/* A translated block of code; never freed. */
struct block {
    uint64_t ip;
    uint64_t length;
    bool opens; /* opens an interrupt window at its end */
};

static struct entry now;
static struct entry worst[WORST];
static struct entry longest; /* of the interval */
static struct entry *intervals;
static size_t nintervals;
static uint64_t mark;
static bool booted;
static bool opened;
static uint64_t limit = 50000;
static const char *out;

static void end_entry(void)
{
    unsigned at = WORST;

    while (at > 0 && worst[at - 1].length < now.length)
        at--;
    if (now.length && at < WORST) {
        memmove(&worst[at + 1], &worst[at], (WORST - 1 - at) * sizeof(worst[0]));
        worst[at] = now;
    }
    if (now.length > longest.length)
        longest = now;
    now = (struct entry){ .user = now.user };
}

static void end_interval(void)
{
    intervals = realloc(intervals, (nintervals + 1) * sizeof(*intervals));
    if (!intervals)
        abort();
    intervals[nintervals++] = longest;
    longest = (struct entry){ 0 };
}

/* A block starts: ends the entry at user code or after a window, and counts the block. */
static void on_run(unsigned cpu, void *arg)
{
    const struct block *b = arg;

    bool user = b->ip >= USER && b->ip < USER_END && b->ip >> 20 != FIRMWARE;

    (void)cpu;
    if (user || opened)
        end_entry();
    opened = b->opens;
    booted |= user;
    if (user) {
        now.user = b->ip;
        return;
    }
    if (!booted)
        return;
    if (mark && b->ip == mark)
        end_interval();
    now.length += b->length;
    if (now.length > limit && !now.kernel)
        now.kernel = b->ip;
}

static bool opens_interrupts(const struct qemu_plugin_insn *insn)
{
    uint8_t code = *(const uint8_t *)qemu_plugin_insn_data(insn);

    return code == 0xf4 || code == 0xfb;
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    struct block *b = calloc(1, sizeof(*b));
    size_t n = qemu_plugin_tb_n_insns(tb);

    (void)id;
    if (!b || n == 0)
        return;
    b->ip = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(tb, 0));
    b->length = n;
    for (size_t i = 0; i < n; i++)
        b->opens |= opens_interrupts(qemu_plugin_tb_get_insn(tb, i));
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_run, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void on_exit_machine(qemu_plugin_id_t id, void *arg)
{
    FILE *f = fopen(out, "w");

    (void)id;
    (void)arg;
    if (!f)
        return;
    for (size_t i = 0; i < nintervals; i++)
        fprintf(f, "interval %llu %#llx %#llx\n", (unsigned long long)intervals[i].length,
                (unsigned long long)intervals[i].user, (unsigned long long)intervals[i].kernel);
    for (unsigned i = 0; i < WORST && worst[i].length; i++)
        fprintf(f, "%llu %#llx %#llx\n", (unsigned long long)worst[i].length,
                (unsigned long long)worst[i].user, (unsigned long long)worst[i].kernel);
    fclose(f);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "limit=", 6))
            limit = strtoull(argv[i] + 6, NULL, 0);
        else if (!strncmp(argv[i], "mark=", 5))
            mark = strtoull(argv[i] + 5, NULL, 0);
        else if (!strncmp(argv[i], "out=", 4))
            out = strdup(argv[i] + 4);
    }
    if (!out) {
        fprintf(stderr, "entries: give out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit_machine, NULL);
    return 0;
}
