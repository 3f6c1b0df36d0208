/* SPDX-License-Identifier: MIT */
/*
 * Owns the kernel's own access to object memory: reads and writes by offset, pages with a fixed
 * address, and foreign frames of devices. obj_read and obj_write hold the object's lock while they
 * use a page, so no other core can free or replace its frame meanwhile. A page from obj_frame needs
 * no lock, because its object cannot lose pages.
 *
 * Crash protocol: if a page is in the pool, obj_write makes the bytes durable before it releases
 * the lock.
 *
 * Lock order: object -> pool -> kmem -> phys.
 */
#include <kernel/panic.h>
#include <kernel/page.h>
#include <lib/string.h>
#include <store/persist.h>
#include "inside.h"

/* As page_write_begin, for kernel-only pages too. */
static void *begin_write(struct object *obj, uint32_t page)
{
    phys_t frame;

    if (page < obj_first_page(obj) || page >= obj_end_page(obj))
        return NULL;
    spin_lock(&obj->tree.lock);
    if (page_ensure_locked(obj, page, true) < 0) {
        spin_unlock(&obj->tree.lock);
        return NULL;
    }
    frame = arch_ptree_lookup(&obj->tree.pt, page, NULL);
    return pool_has(frame) ? arch_nvm_store(frame) : arch_virt(frame);
}

void *page_write_begin(struct object *obj, uint32_t page)
{
    return page_is_kernel_only(obj, page) ? NULL : begin_write(obj, page);
}

void page_write_end(struct object *obj, uint32_t page)
{
    (void)page;
    spin_unlock(&obj->tree.lock);
}

/* Finds the frame of a page for reading. The caller must hold the object's lock. An absent page of
 * a volatile object stays absent: it reads as zeros, and *out is PHYS_NONE. */
static int find_page_locked(struct object *obj, uint32_t page, phys_t *out)
{
    unsigned flags = 0;
    phys_t frame = PHYS_NONE;
    int err = 0;

    *out = PHYS_NONE;
    if (!phys_is_none(obj->tree.pt.top))
        frame = arch_ptree_lookup(&obj->tree.pt, page, &flags);
    if ((flags & ARCH_PT_HOLE) != 0)
        return -TWZ_EFAULT;
    if ((flags & ARCH_PT_LOST) != 0)
        return -TWZ_EPOISON;
    if (phys_is_none(frame) && obj_is_persistent(obj)) {
        err = page_ensure_locked(obj, page, false);
        if (err == 0)
            frame = arch_ptree_lookup(&obj->tree.pt, page, NULL);
    }
    if (err == 0)
        *out = frame;
    return err;
}

/* True: the pages of the span are the object's, and are all kernel-only or all not. */
static bool is_span_valid(const struct object *obj, uint64_t off, size_t len, bool kernel_only)
{
    uint64_t end = (uint64_t)obj_end_page(obj) << TWZ_PAGE_SHIFT;
    uint64_t first = off >> TWZ_PAGE_SHIFT, last = (off + len - 1) >> TWZ_PAGE_SHIFT;

    if (first < obj_first_page(obj) || off > end || len > end - off)
        return false;
    return len == 0 || (page_is_kernel_only(obj, (uint32_t)first) == kernel_only &&
                        page_is_kernel_only(obj, (uint32_t)last) == kernel_only);
}

/* Returns how many of the `len` bytes at `off` lie in the first page. */
static size_t bytes_in_page(uint64_t off, size_t len)
{
    size_t rest = TWZ_PAGE_SIZE - (size_t)(off % TWZ_PAGE_SIZE);

    return len < rest ? len : rest;
}

static int read_span(struct object *obj, uint64_t off, void *buf, size_t len)
{
    while (len > 0) {
        size_t n = bytes_in_page(off, len);
        uint32_t page = (uint32_t)(off >> TWZ_PAGE_SHIFT);
        int err = obj->sealed ? sealed_check_now(obj, page) : 0;
        phys_t frame;

        if (err < 0)
            return err;
        spin_lock(&obj->tree.lock);
        err = find_page_locked(obj, page, &frame);
        if (err == 0 && !phys_is_none(frame))
            err = page_read_frame(buf, frame, off % TWZ_PAGE_SIZE, n);
        else if (err == 0)
            memset(buf, 0, n);
        spin_unlock(&obj->tree.lock);
        if (err < 0)
            return err;
        buf = (uint8_t *)buf + n;
        off += n;
        len -= n;
    }
    return 0;
}

int obj_read(struct object *obj, uint64_t off, void *buf, size_t len)
{
    return is_span_valid(obj, off, len, false) ? read_span(obj, off, buf, len) : -TWZ_ERANGE;
}

int obj_read_kernel_only(struct object *obj, uint64_t off, void *buf, size_t len)
{
    return is_span_valid(obj, off, len, true) ? read_span(obj, off, buf, len) : -TWZ_ERANGE;
}

static int write_span(struct object *obj, uint64_t off, const void *buf, size_t len)
{
    while (len > 0) {
        uint32_t page = (uint32_t)(off >> TWZ_PAGE_SHIFT);
        size_t n = bytes_in_page(off, len);
        uint8_t *data = begin_write(obj, page);

        if (!data)
            return -TWZ_EFAULT;
        if (obj_is_persistent(obj)) {
            persist_copy(data + off % TWZ_PAGE_SIZE, buf, n);
            persist_flush(data + off % TWZ_PAGE_SIZE, n);
            persist_fence(); /* the bytes must be durable before the lock is released */
        } else {
            memcpy(data + off % TWZ_PAGE_SIZE, buf, n);
        }
        page_write_end(obj, page);
        buf = (const uint8_t *)buf + n;
        off += n;
        len -= n;
    }
    return 0;
}

int obj_write(struct object *obj, uint64_t off, const void *buf, size_t len)
{
    return is_span_valid(obj, off, len, false) ? write_span(obj, off, buf, len) : -TWZ_ERANGE;
}

int obj_write_kernel_only(struct object *obj, uint64_t off, const void *buf, size_t len)
{
    return is_span_valid(obj, off, len, true) ? write_span(obj, off, buf, len) : -TWZ_ERANGE;
}

void *obj_frame(struct object *obj, uint32_t page)
{
    void *data;

    kassert(!obj_is_persistent(obj) && obj->kind != TWZ_KIND_DATA && obj->kind != TWZ_KIND_VIEW);
    data = page_write_begin(obj, page);
    if (data)
        page_write_end(obj, page);
    return data;
}

int obj_map_foreign(struct object *obj, uint32_t page, phys_t frame, unsigned flags)
{
    int err = 0;

    if (obj->kind != TWZ_KIND_DEVICE || page == 0 || page >= TWZ_PAGE_META)
        return -TWZ_EINVAL;
    spin_lock(&obj->tree.lock);
    if (phys_is_none(obj->tree.pt.top))
        err = arch_ptree_init(&obj->tree.pt);
    if (err == 0)
        err = arch_ptree_map(&obj->tree.pt, page, frame, flags);
    spin_unlock(&obj->tree.lock);
    return err;
}
