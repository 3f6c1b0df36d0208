/* SPDX-License-Identifier: MIT */
/* What arch found at boot, copied out of memory that the allocator will hand out. */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <kernel/types.h>

#define BOOT_RANGES  64u
#define BOOT_NVDIMMS 8u
#define BOOT_CMDLINE 1024u

struct boot_range {
    phys_t start;
    uint64_t len;
};

struct boot_info {
    struct boot_range ram[BOOT_RANGES]; /* usable DRAM less the kernel image and boot data */
    unsigned nram;
    unsigned ncpus;                         /* cores that the firmware names */
    struct boot_range nvdimm[BOOT_NVDIMMS]; /* persistent-memory ranges of the NFIT */
    unsigned nnvdimm;
    uint32_t nvdimm_flags[BOOT_NVDIMMS]; /* NFIT state flags of the range's mapping */
    char cmdline[BOOT_CMDLINE];
    uint8_t kernel_hash[32]; /* BLAKE2b-256 of the kernel's text, as linked */
};

extern struct boot_info boot_info;

/* Value of "key=value" on the command line, or NULL; length in *len. "key" alone: length 0. */
const char *boot_option(const char *key, size_t *len);

#endif
