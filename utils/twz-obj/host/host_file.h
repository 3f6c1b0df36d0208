/* SPDX-License-Identifier: MIT */
/*
 * A host file that appears under its name only when it is complete. The file is written without a
 * name, or under a temporary one where the file system needs one. host_file_commit then links or
 * renames it into place.
 */
#ifndef HOST_FILE_H
#define HOST_FILE_H

#include <stdint.h>

struct host_file {
    int fd;
    char *path;
    char *temporary;    /* the temporary name; NULL: none */
    const char *exists; /* the remedy where the path exists; NULL: replace the file there */
};

/*
 * Create a file that is to become `path`. If `path` exists already, fail with TOOL_NO and the
 * constant text `exists` as the remedy; `exists` NULL: the file at `path` will be replaced. Returns
 * TOOL_OK, or an exit code after a message.
 */
int host_file_create(struct host_file *file, const char *path, const char *exists, uint32_t mode);

/* Give the file its name, durably, and close it. An error leaves nothing behind. */
int host_file_commit(struct host_file *file);

/* Close the file and leave nothing behind. */
void host_file_abort(struct host_file *file);

/* Write all bytes. TOOL_OK, or an exit code after a message that names `path`. */
int host_write(int fd, const char *path, const void *bytes, uint64_t len);

/* Copy `size` bytes of one open file to another; holes stay holes. Errors as host_write. */
int host_copy_sparse(int from, int to, const char *path, uint64_t size);

#endif
