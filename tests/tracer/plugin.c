/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU TCG plugin that records what a machine does to its NVDIMM: stores with the values they left,
 * flushes, fences, and when the guest gave output away (trace.h).
 *
 *   -plugin FILE.so,nvdimm=POOL,out=TRACE[,base=RAM_ADDR]
 *
 * nvdimm is the backing file of the NVDIMM (share=on); values are read from it after each store.
 * base is the NVDIMM's place in QEMU's RAM numbering: 0 when its backend is the first memory object
 * on the command line ("info ramblock" tells).
 *
 * Flush instructions carry no address that a plugin can see. A traced guest loads from the line
 * just before it flushes it; a flush takes the address of the latest access to the NVDIMM, which
 * must be a load by an instruction less than PAIR_BYTES away. One that has no such load is recorded
 * as lost and counts as no flush, which can only make the judgement harder.
 *
 * Only stores of the processor are seen. The replay compares the result with the file, so a store
 * that got past this plugin fails the run. Single-threaded TCG only (-accel tcg,thread=single).
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

/* The latest access to the NVDIMM where it was a load; one for each half of the address space. */
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
    struct last_load load[MAX_CPUS][2];
} tracer;

static void fail(const char *what, const char *which)
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
            fail("write", "the trace file takes no more");
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

static struct trace_record *record(unsigned kind, unsigned cpu, uint64_t ip)
{
    if (tracer.used == BATCH)
        write_batch();

    struct trace_record *r = &tracer.batch[tracer.used++];
    *r = (struct trace_record){ .kind = (uint8_t)kind, .cpu = (uint8_t)cpu, .ip = ip };
    if (is_user(ip))
        r->flags = TRACE_USER;
    return r;
}

/* Is the address in the NVDIMM? Then where. */
static bool locate(qemu_plugin_meminfo_t info, uint64_t vaddr, uint64_t *offset)
{
    struct qemu_plugin_hwaddr *at = qemu_plugin_get_hwaddr(info, vaddr);

    if (!at || qemu_plugin_hwaddr_is_io(at))
        return false;
    *offset = qemu_plugin_hwaddr_phys_addr(at) - tracer.base;
    return *offset < tracer.size;
}

static void store_part(unsigned kind, unsigned flags, unsigned cpu, uint64_t ip, uint64_t addr,
                       unsigned size)
{
    struct trace_record *r = record(kind, cpu, ip);

    r->flags |= (uint8_t)flags;
    r->size = (uint8_t)size;
    r->addr = addr;
    memcpy(&r->value, tracer.nvdimm + addr, size);
}

/* One store instruction's bytes, cut at aligned words (the unit that is atomic) and at pages. */
static void store(unsigned kind, unsigned flags, unsigned cpu, uint64_t ip,
                  qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    uint64_t end = vaddr + (1ull << qemu_plugin_mem_size_shift(info));

    while (vaddr < end) {
        uint64_t next = (vaddr | 7) + 1;
        uint64_t addr;

        if (next > end)
            next = end;
        if (locate(info, vaddr, &addr)) {
            store_part(kind, flags, cpu, ip, addr, (unsigned)(next - vaddr));
            tracer.load[cpu % MAX_CPUS][is_user(ip)].valid = false;
        }
        vaddr = next;
    }
}

static void load(unsigned cpu, uint64_t ip, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    uint64_t addr;

    if (locate(info, vaddr, &addr))
        tracer.load[cpu % MAX_CPUS][is_user(ip)] =
            (struct last_load){ .addr = addr, .ip = ip, .valid = true };
}

/* A store to a virtio device's doorbell: what the guest said so far is now the host's. */
static void mark(unsigned cpu, uint64_t ip, qemu_plugin_meminfo_t info, uint64_t vaddr)
{
    struct qemu_plugin_hwaddr *at = qemu_plugin_get_hwaddr(info, vaddr);

    if (!at || !qemu_plugin_hwaddr_is_io(at))
        return;
    if (!strncmp(qemu_plugin_hwaddr_device_name(at), "virtio-pci-notify", 17))
        record(TRACE_MARK, cpu, ip)->addr = qemu_plugin_hwaddr_phys_addr(at) & BELL_MASK;
}

static void access_with(unsigned kind, unsigned flags, unsigned cpu, qemu_plugin_meminfo_t info,
                        uint64_t vaddr, uint64_t ip)
{
    if (!qemu_plugin_mem_is_store(info)) {
        load(cpu, ip, info, vaddr);
        return;
    }
    store(kind, flags, cpu, ip, info, vaddr);
    mark(cpu, ip, info, vaddr);
}

static void on_plain(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *ip)
{
    access_with(TRACE_STORE, 0, cpu, info, vaddr, (uint64_t)(uintptr_t)ip);
}

static void on_locked(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *ip)
{
    access_with(TRACE_STORE, TRACE_LOCKED, cpu, info, vaddr, (uint64_t)(uintptr_t)ip);
}

static void on_stream(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t vaddr, void *ip)
{
    access_with(TRACE_STREAM, 0, cpu, info, vaddr, (uint64_t)(uintptr_t)ip);
}

static void on_fence(unsigned cpu, void *ip)
{
    record(TRACE_FENCE, cpu, (uint64_t)(uintptr_t)ip);
}

static void on_flush(unsigned cpu, void *arg)
{
    uint64_t ip = (uint64_t)(uintptr_t)arg;
    struct last_load *l = &tracer.load[cpu % MAX_CPUS][is_user(ip)];
    bool paired = l->valid && ip - l->ip + PAIR_BYTES < 2 * PAIR_BYTES;

    record(paired ? TRACE_FLUSH : TRACE_LOST, cpu, ip)->addr = paired ? l->addr : 0;
    l->valid = false;
}

/* What the bytes of an instruction say: its prefixes, then the opcode after 0f. */
struct opcode {
    bool op16; /* 66 */
    bool lock; /* f0 */
    bool rep;  /* f2 or f3 */
    bool two;  /* 0f xx */
    uint8_t code;
    uint8_t modrm;
};

static struct opcode decode(const uint8_t *at, size_t len)
{
    struct opcode o = { .code = 0 };
    size_t i = 0;

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

/* movnti, movntps/pd, movntdq/movntq */
static bool is_stream(const struct opcode *o)
{
    return o->two && (o->code == 0xc3 || o->code == 0x2b || o->code == 0xe7) && !o->rep;
}

static void on_insn(struct qemu_plugin_insn *insn)
{
    struct opcode o = decode(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
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

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0)
        fail("no backing file of the NVDIMM", path);
    tracer.size = (uint64_t)st.st_size;
    void *map = mmap(NULL, tracer.size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        fail("cannot map", path);
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
        fail("cannot make the trace", path);
    write_all(&header, sizeof(header));
}

static const char *value_of(const char *arg, const char *key)
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
        const char *base = value_of(argv[i], "base");

        if (base)
            tracer.base = strtoull(base, NULL, 0);
        else if (value_of(argv[i], "nvdimm"))
            nvdimm = value_of(argv[i], "nvdimm");
        else if (value_of(argv[i], "out"))
            out = value_of(argv[i], "out");
        else
            fail("unknown argument", argv[i]);
    }
    if (!nvdimm || !out)
        fail("missing argument", "nvdimm=FILE,out=FILE");
    map_nvdimm(nvdimm);
    open_trace(out);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_atexit_cb(id, on_exit_machine, NULL);
    return 0;
}
