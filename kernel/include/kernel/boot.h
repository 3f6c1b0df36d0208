/* SPDX-License-Identifier: MIT */
/* The results of arch at boot, copied out of memory that the allocator will give out. */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <kernel/types.h>
#include <lib/cmdline.h>

#define BOOT_RANGES  64u
#define BOOT_NVDIMMS 8u
#define BOOT_CMDLINE 1024u

struct boot_range {
    phys_t start;
    uint64_t len;
};

struct boot_info {
    struct boot_range ram[BOOT_RANGES]; /* usable DRAM without the kernel image and boot data */
    unsigned nram;
    unsigned ncpus;                         /* cores that the firmware lists */
    struct boot_range nvdimm[BOOT_NVDIMMS]; /* persistent-memory ranges of the NFIT */
    unsigned nnvdimm;
    uint32_t nvdimm_flags[BOOT_NVDIMMS]; /* NFIT state flags of the range's mapping */
    char cmdline[BOOT_CMDLINE];
    uint8_t kernel_hash[32]; /* BLAKE2b-256 of the kernel's text, as linked */
};

extern struct boot_info boot_info;

/* The value of a word of the kernel's command line; see cmdline_find. */
static inline const char *boot_option(const char *key, size_t *len)
{
    return cmdline_find(boot_info.cmdline, key, len);
}

#endif
