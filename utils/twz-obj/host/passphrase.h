/* SPDX-License-Identifier: MIT */
/*
 * Passphrases come from the terminal, without echo, or from a descriptor that the caller names:
 * never from the command line or the environment, where other users may see them.
 */
#ifndef PASSPHRASE_H
#define PASSPHRASE_H

#include <stdbool.h>
#include <stddef.h>
#include <sign/keyfile.h>

struct passphrase {
    size_t len;
    char text[KEYFILE_PASSPHRASE + 1];
};

/* Read a passphrase for the file at `path`. fd: the number of a descriptor, of which one line is
 * read; NULL: from the terminal, twice if it is a new one. The caller must wipe it. TOOL_OK, or an
 * exit code after a message. */
int passphrase_read(struct passphrase *passphrase, const char *path, const char *fd, bool twice);

void passphrase_wipe(struct passphrase *passphrase);

#endif
