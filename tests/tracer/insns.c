/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU TCG plugin that counts instructions: from the first execution of `from` to each execution of
 * `at` (both are virtual addresses). Of an address, only the bits of `mask` are compared with `at`
 * (default: all). When the machine ends it writes the first HITS counts to `out`, a line each.
 *
 *   -plugin FILE.so,from=ADDR,at=ADDR[,mask=BITS],out=FILE
 */
#include "plugin_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HITS 64u

int qemu_plugin_version = PLUGIN_API_VERSION;

static uint64_t count;
static uint64_t start;
static bool started;
static uint64_t from;
static uint64_t at;
static uint64_t mask = ~0ull;
static uint64_t hit[HITS];
static unsigned hits;
static const char *out;

static void on_from(unsigned cpu, void *arg)
{
    (void)cpu;
    (void)arg;
    if (!started)
        start = count;
    started = true;
}

static void on_at(unsigned cpu, void *arg)
{
    (void)cpu;
    (void)arg;
    if (started && hits < HITS)
        hit[hits++] = count - start;
}

/* Callbacks of an instruction run in the order in which they were registered. */
static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t ip = qemu_plugin_insn_vaddr(insn);

        if (ip == from)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_from, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if ((ip & mask) == at)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_at, QEMU_PLUGIN_CB_NO_REGS, NULL);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &count, 1);
    }
}

static void on_exit_machine(qemu_plugin_id_t id, void *arg)
{
    FILE *f = fopen(out, "w");

    (void)id;
    (void)arg;
    if (!f)
        return;
    for (unsigned i = 0; i < hits; i++)
        fprintf(f, "%llu\n", (unsigned long long)hit[i]);
    fclose(f);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "from=", 5))
            from = strtoull(argv[i] + 5, NULL, 0);
        else if (!strncmp(argv[i], "at=", 3))
            at = strtoull(argv[i] + 3, NULL, 0);
        else if (!strncmp(argv[i], "mask=", 5))
            mask = strtoull(argv[i] + 5, NULL, 0);
        else if (!strncmp(argv[i], "out=", 4))
            out = strdup(argv[i] + 4);
    }
    if (!from || !at || !out) {
        fprintf(stderr, "insns: give from=ADDR,at=ADDR,out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit_machine, NULL);
    return 0;
}
