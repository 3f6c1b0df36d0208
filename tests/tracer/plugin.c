/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU TCG plugin that records the accesses of a machine to its NVDIMM: stores with their values,
 * flushes, fences, and marks for output of the guest (trace.h).
 *
 *   -plugin FILE.so,nvdimm=POOL,out=TRACE[,base=RAM_ADDR]
 *
 * nvdimm is the backing file of the NVDIMM (share=on); values are read from it after each store.
 * base is the NVDIMM's address in QEMU's RAM numbering: 0 when its backend is the first memory
 * object on the command line ("info ramblock" shows it).
 *
 * A plugin does not see the address of a flush instruction. A traced guest must therefore load from
 * the line just before it flushes it. A flush gets the address of the latest access to the NVDIMM,
 * which must be a load by an instruction less than PAIR_BYTES away. A flush without such a load is
 * recorded as lost and does not count, which can only make the replay stricter.
 *
 * Only stores of the processor are recorded. The replay compares its result with the file, so a
 * store that this plugin missed fails the run. Single-threaded TCG only (-accel tcg,thread=single).
 */
#include "plugin_api.h"
#include "trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CPUS   64u
#define PAIR_BYTES 512u
#define BELL_MASK  0xfffu /* a doorbell region is one page */
#define GUEST_PAGE 4096u
#define BATCH      4096u

int qemu_plugin_version = PLUGIN_API_VERSION;

/* The latest access to the NVDIMM, valid if it was a load; for each half of the address space. */
struct last_load {
    uint64_t addr;
    uint64_t ip;
    bool valid;
};

static struct {
    const uint8_t *nvdimm;
    uint64_t size;
    uint64_t base;
    int out;
    unsigned used;
    struct trace_record batch[BATCH];
    struct last_load last_load[MAX_CPUS][2];
} tracer;

static void exit_with_error(const char *what, const char *which)
{
    fprintf(stderr, "tracer: %s: %s\n", what, which);
    exit(1);
}

static void write_all(const void *data, size_t len)
{
    const char *at = data;

    while (len) {
        ssize_t n = write(tracer.out, at, len);

        if (n <= 0)
            exit_with_error("write", "the trace file cannot be written");
        at += n;
        len -= (size_t)n;
    }
}

static void write_batch(void)
{
    write_all(tracer.batch, tracer.used * sizeof(tracer.batch[0]));
    tracer.used = 0;
}

static bool is_user(uint64_t ip)
{
    return ip >> 63 == 0;
}

static struct trace_record *add_record(unsigned kind, unsigned cpu, uint64_t ip)
{
    struct trace_record *r;

    if (tracer.used == BATCH)
        write_batch();
    r = &tracer.batch[tracer.used++];
    *r = (struct trace_record){ .kind = (uint8_t)kind, .cpu = (uint8_t)cpu, .ip = ip };
    if (is_user(ip))
        r->flags = TRACE_USER;
    return r;
}

/* True: the address is in the NVDIMM, at *offset. */
static bool find_nvdimm_offset(qemu_plugin_meminfo_t info, uint64_t vaddr, uint64_t *offset)
{
    struct qemu_plugin_hwaddr *at = qemu_plugin_get_hwaddr(info, vaddr);

    if (!at || qemu_plugin_hwaddr_is_io(at))
        return false;
    *offset = qemu_plugin_hwaddr_phys_addr(at) - tracer.base;
    return *offset < tracer.size;
}

static void record_word(unsigned kind, unsigned flags, unsigned cpu, uint64_t ip, uint64_t addr,
                        unsigned size)
{
    struct trace_record *r = add_record(kind, cpu, ip);

    r->flags |= (uint8_t)flags;
    r->size = (uint8_t)size;
    r->addr = addr;
    memcpy(&r->value, tracer.nvdimm + addr, size);
}

/* Records the bytes of a store instruction, cut at aligned words, which are atomic. */
static void record_store(unsigned kind, unsigned flags, unsigned cpu, uint64_t ip,
                         qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    uint64_t end = vaddr + (1ull << qemu_plugin_mem_size_shift(info));

    while (vaddr < end) {
        uint64_t next = (vaddr | 7) + 1;
        uint64_t addr;

        if (next > end)
            next = end;
        if (find_nvdimm_offset(info, vaddr, &addr)) {
            record_word(kind, flags, cpu, ip, addr, (unsigned)(next - vaddr));
            tracer.last_load[cpu % MAX_CPUS][is_user(ip)].valid = false;
        }
        vaddr = next;
    }
}

static void remember_load(unsigned cpu, uint64_t ip, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    uint64_t addr;

    if (find_nvdimm_offset(info, vaddr, &addr))
        tracer.last_load[cpu % MAX_CPUS][is_user(ip)] =
            (struct last_load){ .addr = addr, .ip = ip, .valid = true };
}

/* A store to a virtio device's doorbell: the host now has the output of the guest so far. */
static void record_mark(unsigned cpu, uint64_t ip, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    struct qemu_plugin_hwaddr *at = qemu_plugin_get_hwaddr(info, vaddr);

    if (!at || !qemu_plugin_hwaddr_is_io(at))
        return;
    if (!strncmp(qemu_plugin_hwaddr_device_name(at), "virtio-pci-notify", 17))
        add_record(TRACE_MARK, cpu, ip)->addr = qemu_plugin_hwaddr_phys_addr(at) & BELL_MASK;
}

static void record_access(unsigned kind, unsigned flags, unsigned cpu, qemu_plugin_meminfo_t info,
                          uint64_t vaddr, uint64_t ip)
{
    if (!qemu_plugin_mem_is_store(info)) {
        remember_load(cpu, ip, info, vaddr);
        return;
    }
    record_store(kind, flags, cpu, ip, info, vaddr);
    record_mark(cpu, ip, info, vaddr);
}

static void on_plain(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *ip)
{
    record_access(TRACE_STORE, 0, cpu, info, vaddr, (uint64_t)(uintptr_t)ip);
}

static void on_locked(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *ip)
{
    record_access(TRACE_STORE, TRACE_LOCKED, cpu, info, vaddr, (uint64_t)(uintptr_t)ip);
}

static void on_stream(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *ip)
{
    record_access(TRACE_STREAM, 0, cpu, info, vaddr, (uint64_t)(uintptr_t)ip);
}

static void on_fence(unsigned cpu, void *ip)
{
    add_record(TRACE_FENCE, cpu, (uint64_t)(uintptr_t)ip);
}

static void on_flush(unsigned cpu, void *arg)
{
    uint64_t ip = (uint64_t)(uintptr_t)arg;
    struct last_load *l = &tracer.last_load[cpu % MAX_CPUS][is_user(ip)];
    bool paired = l->valid && ip - l->ip + PAIR_BYTES < 2 * PAIR_BYTES;

    add_record(paired ? TRACE_FLUSH : TRACE_LOST, cpu, ip)->addr = paired ? l->addr : 0;
    l->valid = false;
}

/* The prefixes of an instruction, then its opcode after 0f. */
struct opcode {
    bool op16; /* 66 */
    bool lock; /* f0 */
    bool rep;  /* f2 or f3 */
    bool two;  /* 0f xx */
    uint8_t code;
    uint8_t modrm;
};

/* An instruction with a VEX prefix, of 2 bytes after c5 or of 3 after c4. It has no other prefix.
 */
static struct opcode decode_vex(const uint8_t *at, size_t len)
{
    size_t last = at[0] == 0xc5 ? 1 : 2; /* the byte with the bits of 66, f3 and f2 */
    struct opcode o = { .code = 0 };

    if (last + 2 >= len || (last == 2 && (at[1] & 0x1f) != 1))
        return o;
    o.two = true;
    o.op16 = (at[last] & 3) == 1;
    o.rep = (at[last] & 3) > 1;
    o.code = at[last + 1];
    o.modrm = at[last + 2];
    return o;
}

/* Skips the prefixes of 64-bit code, REX included. */
static struct opcode decode_opcode(const uint8_t *at, size_t len)
{
    struct opcode o = { .code = 0 };
    size_t i = 0;

    if (len && (at[0] == 0xc5 || at[0] == 0xc4))
        return decode_vex(at, len);
    for (; i < len; i++) {
        if (at[i] == 0x66)
            o.op16 = true;
        else if (at[i] == 0xf0)
            o.lock = true;
        else if (at[i] == 0xf2 || at[i] == 0xf3)
            o.rep = true;
        else if (at[i] != 0x2e && at[i] != 0x3e && at[i] != 0x64 && at[i] != 0x65 &&
                 (at[i] & 0xf0) != 0x40)
            break;
    }
    if (i + 2 < len && at[i] == 0x0f) {
        o.two = true;
        o.code = at[i + 1];
        o.modrm = at[i + 2];
    } else if (i < len) {
        o.code = at[i];
    }
    return o;
}

static bool is_fence(const struct opcode *o)
{
    return o->two && o->code == 0xae && o->modrm >= 0xf0 && !o->op16 && !o->rep;
}

/* clflush 0f ae /7, clflushopt 66 0f ae /7, clwb 66 0f ae /6; each with a memory operand. */
static bool is_flush(const struct opcode *o)
{
    unsigned reg = (o->modrm >> 3) & 7;

    return o->two && o->code == 0xae && o->modrm < 0xc0 && !o->rep &&
           (reg == 7 || (reg == 6 && o->op16));
}

/* movnti, movntps/pd, movntdq/movntq, and the VEX forms */
static bool is_stream(const struct opcode *o)
{
    return o->two && (o->code == 0xc3 || o->code == 0x2b || o->code == 0xe7) && !o->rep;
}

/* Registers the callback that fits the kind of instruction. */
static void on_insn(struct qemu_plugin_insn *insn)
{
    struct opcode o = decode_opcode(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
    void *ip = (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn);
    bool xchg = !o.two && (o.code == 0x86 || o.code == 0x87);
    qemu_plugin_mem_fn access = on_plain;

    if (is_fence(&o)) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_fence, QEMU_PLUGIN_CB_NO_REGS, ip);
        return;
    }
    if (is_flush(&o)) {
        qemu_plugin_register_vcpu_insn_exec_cb(insn, on_flush, QEMU_PLUGIN_CB_NO_REGS, ip);
        return;
    }
    if (is_stream(&o))
        access = on_stream;
    else if (o.lock || xchg)
        access = on_locked;
    qemu_plugin_register_vcpu_mem_cb(insn, access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, ip);
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++)
        on_insn(qemu_plugin_tb_get_insn(tb, i));
}

static void on_exit_machine(qemu_plugin_id_t id, void *arg)
{
    (void)id;
    (void)arg;
    write_batch();
    close(tracer.out);
}

static void map_nvdimm(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *map;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        exit_with_error("no backing file of the NVDIMM", path);
    tracer.size = (uint64_t)st.st_size;
    map = mmap(NULL, tracer.size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        exit_with_error("cannot map", path);
    tracer.nvdimm = map;
    close(fd);
}

static void open_trace(const char *path)
{
    struct trace_header header = {
        .magic = TRACE_MAGIC,
        .version = TRACE_VERSION,
        .record_size = sizeof(struct trace_record),
        .size = tracer.size,
    };

    tracer.out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (tracer.out < 0)
        exit_with_error("cannot make the trace", path);
    write_all(&header, sizeof(header));
}

static const char *argument_value(const char *arg, const char *key)
{
    size_t n = strlen(key);

    return !strncmp(arg, key, n) && arg[n] == '=' ? arg + n + 1 : NULL;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    const char *nvdimm = NULL;
    const char *out = NULL;

    (void)info;
    for (int i = 0; i < argc; i++) {
        const char *base = argument_value(argv[i], "base");

        if (base)
            tracer.base = strtoull(base, NULL, 0);
        else if (argument_value(argv[i], "nvdimm"))
            nvdimm = argument_value(argv[i], "nvdimm");
        else if (argument_value(argv[i], "out"))
            out = argument_value(argv[i], "out");
        else
            exit_with_error("unknown argument", argv[i]);
    }
    if (!nvdimm || !out)
        exit_with_error("missing argument", "nvdimm=FILE,out=FILE");
    map_nvdimm(nvdimm);
    open_trace(out);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit_machine, NULL);
    return 0;
}
