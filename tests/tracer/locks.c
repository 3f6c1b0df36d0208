/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU TCG plugin that counts the kernel's instructions, and how many of them run under a lock that
 * all cores share. Such locks lie in [start, end) of the kernel's memory (kernel/lock.h,
 * SHARED_LOCK). A ticket lock is taken by `lock xadd` on its first word and released by a plain
 * store to its second. The machine must have one core.
 *
 * Each execution of `toggle` begins or ends an interval. When the machine ends, the plugin writes a
 * line for each interval to `out`: all instructions, and those under a shared lock.
 *
 *   -plugin FILE.so,toggle=ADDR,start=ADDR,end=ADDR,out=FILE
 */
#include "plugin_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INTERVALS 64u

int qemu_plugin_version = PLUGIN_API_VERSION;

struct interval {
    uint64_t all;
    uint64_t locked;
};

static struct interval done[INTERVALS];
static unsigned intervals;
static struct interval now;
static bool counting;
static unsigned depth; /* shared locks held */
static uint64_t toggle;
static uint64_t start;
static uint64_t end;
static const char *out;

static void on_insn(unsigned cpu, void *arg)
{
    (void)cpu;
    (void)arg;
    if (!counting)
        return;
    now.all++;
    now.locked += depth != 0;
}

static void on_toggle(unsigned cpu, void *arg)
{
    (void)cpu;
    (void)arg;
    counting = !counting;
    if (!counting && intervals < INTERVALS)
        done[intervals++] = now;
    now = (struct interval){ 0 };
}

static void on_take(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *arg)
{
    (void)cpu;
    (void)arg;
    if (qemu_plugin_mem_is_store(info) && vaddr >= start && vaddr < end)
        depth++;
}

static void on_store(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *arg)
{
    (void)cpu;
    (void)arg;
    if (qemu_plugin_mem_is_store(info) && vaddr >= start && vaddr < end && vaddr % 8 == 4 && depth)
        depth--;
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        const uint8_t *code = qemu_plugin_insn_data(insn);
        uint64_t ip = qemu_plugin_insn_vaddr(insn);
        bool locked = qemu_plugin_insn_size(insn) > 0 && code[0] == 0xf0;

        if (ip >> 63 == 0)
            continue;
        if (ip == toggle)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_toggle, QEMU_PLUGIN_CB_NO_REGS, NULL);
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, QEMU_PLUGIN_CB_NO_REGS, NULL);
        qemu_plugin_register_vcpu_mem_cb(insn, locked ? on_take : on_store, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
    }
}

static void on_exit_machine(qemu_plugin_id_t id, void *arg)
{
    FILE *f = fopen(out, "w");

    (void)id;
    (void)arg;
    if (!f)
        return;
    for (unsigned i = 0; i < intervals; i++)
        fprintf(f, "%llu %llu\n", (unsigned long long)done[i].all,
                (unsigned long long)done[i].locked);
    fclose(f);
}

static uint64_t number_after(const char *arg, const char *name, uint64_t old)
{
    return strncmp(arg, name, strlen(name)) ? old : strtoull(arg + strlen(name), NULL, 0);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        toggle = number_after(argv[i], "toggle=", toggle);
        start = number_after(argv[i], "start=", start);
        end = number_after(argv[i], "end=", end);
        if (!strncmp(argv[i], "out=", 4))
            out = strdup(argv[i] + 4);
    }
    if (!toggle || !start || !end || !out) {
        fprintf(stderr, "locks: give toggle=ADDR,start=ADDR,end=ADDR,out=FILE\n");
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit_machine, NULL);
    return 0;
}
