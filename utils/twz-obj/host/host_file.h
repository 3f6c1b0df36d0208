/* SPDX-License-Identifier: MIT */
/*
 * A host file that appears under its name only when it is complete: written without a name (or
 * under a temporary one where the file system wants it), then linked or renamed into place.
 */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include <stdint.h>

struct host_file {
    int fd;
    char *path;
    char *temporary;    /* NULL while it has no name at all */
    const char *exists; /* what to do where the path is taken; NULL: replace it */
};

/*
 * TOOL_OK, or an exit code after a message. `exists`, a constant, is what the message advises where
 * something has that path already (TOOL_NO); NULL: that is replaced.
 */
int host_file_create(struct host_file *file, const char *path, const char *exists, uint32_t mode);

/* Give it its name, durable; closes it. On an error nothing is left of it. */
int host_file_commit(struct host_file *file);

/* Leave nothing. */
void host_file_abort(struct host_file *file);

/* All bytes, or an exit code after a message that names `path`. */
int host_write(int fd, const char *path, const void *bytes, uint64_t len);

/* Copy `size` bytes of one open file to another, holes as holes. */
int host_copy_sparse(int from, int to, const char *path, uint64_t size);

#endif
