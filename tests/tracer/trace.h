/* SPDX-License-Identifier: MIT */
/*
 * The trace file: the accesses of a machine to its NVDIMM, in their order. A header, then records
 * until the end of the file. Little endian; plugin.c writes it, replay.c reads it.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

#define TRACE_MAGIC   0x31636172742d7774ull
#define TRACE_VERSION 1u

struct trace_header {
    uint64_t magic;
    uint32_t version;
    uint32_t record_size; /* sizeof(struct trace_record) */
    uint64_t size;        /* bytes of the NVDIMM */
    uint64_t reserved;
};
_Static_assert(sizeof(struct trace_header) == 32, "trace header size");

#define TRACE_STORE  1u /* addr, size 1 .. 8, value: an ordinary store through the cache */
#define TRACE_STREAM 2u /* the same, past the cache (movnti and the like) */
#define TRACE_FLUSH  3u /* addr: any byte of the line */
#define TRACE_FENCE  4u /* sfence or mfence */
#define TRACE_MARK   5u /* addr: 4 * queue, offset in a virtio doorbell region: output */
#define TRACE_LOST   6u /* a flush without a load before it: does not count as a flush */

/* flags */
#define TRACE_USER   1u /* the instruction lies in the lower half of the address space */
#define TRACE_LOCKED 2u /* the store was part of a locked instruction */

struct trace_record {
    uint8_t kind;
    uint8_t cpu;
    uint8_t size;
    uint8_t flags;
    uint32_t reserved;
    uint64_t addr;  /* offset in the NVDIMM */
    uint64_t value; /* the value after a store */
    uint64_t ip;    /* of the instruction */
};
_Static_assert(sizeof(struct trace_record) == 32, "trace record size");

#endif
