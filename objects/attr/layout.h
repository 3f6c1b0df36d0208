/* SPDX-License-Identifier: MIT */
/*
 * attr: the layout of an attribute table, which is one object. A volume has one: all directories
 * from its root down name it (objects/hier). It holds what names and POSIX change of an object, so
 * that an object needs no right to write, and no page, to be named. The object's extension table
 * maps ATTR_TAG to the header.
 *
 *   TWZ_OBJ_BASE   struct attr_head, one page
 *   ATTR_RECORDS   records of 128 bytes; record i lies at ATTR_RECORDS + i * 128; 0 is never used
 *
 * RECORDS
 *   - `names` is the COMMIT word of a record. 0: the record is free.
 *   - A directory entry holds the ID of an object and the index of the object's record. The two
 *     belong together only if the record holds the same ID. An accessor must compare them at each
 *     use; a record of another object is an error of that one name.
 *   - A free record keeps its other words until it is used again, so that a program that has the
 *     object open can still read them.
 *   - `lock` guards `names`, `names_by`, `mode`, and the claim of a free record. It is the last
 *     lock in the order of hier's locks (hier/layout.h). Times need no lock.
 *   - names_by names a directory with an unfinished change of `names`, or 0 (hier/layout.h).
 *
 * ALLOCATION. `end`, `next` and `sweep` are hints. They need not be durable, and an accessor must
 * check what they lead to. A record is taken from a few records at `next`, else behind `end`. If a
 * hint was lost, the steps behind `end` double until a record is free. Each new page of records
 * pays for a look at some old ones: a record whose object does not exist is freed.
 *
 *   create                                    durable before   after a crash
 *   0 COMMIT end, a page further, if the      1                the page's records are free
 *     record lies at `end`
 *   1 claim: lock, names is 0                 -                the record is free
 *   2 id, mode and times; names = 1, on the   -                recovery deletes the object, whose
 *     line of the others, flush                                name is not there; so the record is
 *                                                              freed by a later look
 *   3 COMMIT the name (hier/layout.h)         2                the name has its attributes
 *   For the first name of an object that exists already, step 2 stores names = 0 and names_by, and
 *   the intent of the name stores names = 1.
 *
 * TRUST. A thread that may write the table can store any value at any time. So an accessor must
 * check an index before its use and call twz_touch before a store. It must bound its loops and its
 * waits for a lock.
 */
#ifndef ATTR_LAYOUT_H
#define ATTR_LAYOUT_H

#include <twz/mutex.h>
#include <twz/object.h>

#define ATTR_TAG     0x7274746100000001ull
#define ATTR_MAGIC   0x317274746100747aull
#define ATTR_VERSION 1u

#define ATTR_RECORD  128u
#define ATTR_RECORDS (TWZ_OBJ_BASE + TWZ_PAGE_SIZE)
#define ATTR_MAX     ((uint32_t)((TWZ_OBJ_DATA_TOP - ATTR_RECORDS) / ATTR_RECORD)) /* 0 is one */
#define ATTR_LOCKS   256u

struct attr_head {
    /* cache line 0: constant */
    uint64_t magic;
    uint64_t version;
    uint64_t record; /* ATTR_RECORD */
    uint64_t pad0[5];
    /* cache line 1 */
    uint64_t end;   /* COMMIT word: no record from here on has ever counted a name */
    uint64_t next;  /* hint: where to look for a free record */
    uint64_t sweep; /* hint: where to look for a record without an object */
    uint64_t fresh; /* hint: the records from here to `end` were not used yet */
    uint64_t ready; /* hint: `end` as it is known to be durable; stored after it, on its line */
    uint64_t pad1[3];
    uint64_t pad2[240];
    /* Locks for the lengths of files, by ID (attr_size_lock). They outlive names. */
    struct twz_mutex size_lock[ATTR_LOCKS];
};
_Static_assert(offsetof(struct attr_head, end) == 64, "attr end line");
_Static_assert(sizeof(struct attr_head) == TWZ_PAGE_SIZE, "attr head size");

struct attr_record {
    /* cache line 0 */
    uint64_t names; /* COMMIT word: number of names; 0: free */
    objid_t id;     /* the object */
    uint64_t mode;  /* POSIX mode bits, advisory; 0: a twz object */
    uint64_t mtime_ns;
    uint64_t ctime_ns;
    uint64_t pad0[2];
    /* cache line 1 */
    struct twz_mutex lock; /* means nothing after a boot */
    objid_t names_by;      /* directory with an unfinished change of `names`; 0: none */
    uint64_t pad1[5];
};
_Static_assert(sizeof(struct attr_record) == ATTR_RECORD, "attr record size");
_Static_assert(offsetof(struct attr_record, lock) == 64, "attr lock line");

#endif
