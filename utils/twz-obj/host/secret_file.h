/* SPDX-License-Identifier: MIT */
/*
 * Key files, exported public keys, capabilities and revocations as host files. Each has a fixed
 * size, and appears whole or not at all; none replaces another file. Functions return TOOL_OK, or
 * an exit code after a message.
 */
#ifndef SECRET_FILE_H
#define SECRET_FILE_H

#include <sign/keyfile.h>

/* Write a key file with mode 0600; len 0: without a passphrase. */
int secret_file_save(const char *path, const struct sign_key *key, const char *passphrase,
                     size_t len);

/* Read the secret keys of a key file; `fd` is as for passphrase_read. A file that other users can
 * read is refused. The caller must call sign_key_wipe. */
int secret_file_open(const char *path, const char *fd, struct sign_key *key);

/* Read the public keys of a key file or of an exported one. *protection: KEYFILE_*, or
 * SECRET_FILE_PUBLIC; it may be NULL. */
#define SECRET_FILE_PUBLIC UINT32_MAX
int secret_file_public(const char *path, struct sec_ku *ku, uint32_t *protection);

/* Read a file of exactly `len` bytes, which `what` names; "-": standard input. */
int secret_file_read(const char *path, void *bytes, size_t len, const char *what);

/* Make a file of public bytes; "-": standard output. */
int secret_file_write(const char *path, const void *bytes, size_t len);

#endif
