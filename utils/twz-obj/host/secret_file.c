/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <twz/error.h>
#include <unistd.h>

#include "fail.h"
#include "host_file.h"
#include "out.h"
#include "passphrase.h"

#define EXISTS "choose another name"

static int save(const char *path, const void *bytes, size_t len, uint32_t mode)
{
    struct host_file file;
    int err = host_file_create(&file, path, EXISTS, mode);

    if (err != TOOL_OK)
        return err;
    err = host_write(file.fd, path, bytes, len);
    if (err == TOOL_OK)
        return host_file_commit(&file);
    host_file_abort(&file);
    return err;
}

int secret_file_write(const char *path, const void *bytes, size_t len)
{
    if (strcmp(path, "-") == 0)
        return host_write(STDOUT_FILENO, "standard output", bytes, len);
    return save(path, bytes, len, 0644);
}

int secret_file_save(const char *path, const struct sign_key *key, const char *passphrase,
                     size_t len)
{
    struct key_file file;
    int err = keyfile_seal(&file, key, passphrase, len);

    err = err < 0 ? fail_twz(path, err) : save(path, &file, sizeof(file), 0600);
    explicit_bzero(&file, sizeof(file));
    return err;
}

/* Reads up to `len` bytes, of which there may be fewer. The number, or -1 with errno. */
static ssize_t read_some(int fd, void *bytes, size_t len)
{
    size_t got = 0;

    while (got < len) {
        ssize_t n = read(fd, (uint8_t *)bytes + got, len - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* Reads a whole file, which is no longer than `max` bytes. *len: its length; more than `max` if it
 * is longer. */
static int load(const char *path, void *bytes, size_t max, size_t *len, struct stat *st)
{
    bool input = strcmp(path, "-") == 0;
    int fd = input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    uint8_t more;
    ssize_t n;
    int err = TOOL_OK;

    if (fd < 0)
        return fail_host(path);
    n = fstat(fd, st) == 0 ? read_some(fd, bytes, max) : -1;
    if (n >= 0)
        *len = (size_t)n;
    if (n == (ssize_t)max && read_some(fd, &more, 1) != 0)
        *len = max + 1;
    if (n < 0)
        err = fail_host(path);
    if (!input)
        close(fd);
    return err;
}

int secret_file_read(const char *path, void *bytes, size_t len, const char *what)
{
    struct stat st;
    size_t got;
    int err = load(path, bytes, len, &got, &st);

    if (err == TOOL_OK && got != len)
        return fail(TOOL_DAMAGED, "%s: is no %s, which has %zu bytes", path, what, len);
    return err;
}

static int fail_key_file(const char *path, int error)
{
    if (error == -TWZ_ETYPE)
        return fail(TOOL_DAMAGED, "%s: is no key file: key new makes one", path);
    if (error == -TWZ_EVERSION)
        return fail(TOOL_DAMAGED, "%s: a key file of another version: use that version", path);
    return fail(TOOL_DAMAGED, "%s: the key file is damaged: use a copy of it", path);
}

/* Reads a key file. The caller must wipe it. */
static int load_key_file(const char *path, struct key_file *file, struct stat *st)
{
    size_t len;
    int err = load(path, file, sizeof(*file), &len, st);

    if (err != TOOL_OK)
        return err;
    err = len == sizeof(*file) ? keyfile_check(file) : -TWZ_ETYPE;
    return err < 0 ? fail_key_file(path, err) : TOOL_OK;
}

static int open_key_file(const char *path, const struct key_file *file, const char *fd,
                         struct sign_key *key)
{
    struct passphrase passphrase = { 0 };
    int err = TOOL_OK;

    if (file->protection != KEYFILE_PLAIN)
        err = passphrase_read(&passphrase, path, fd, false);
    if (err != TOOL_OK)
        return err;
    err = keyfile_open(file, passphrase.text, passphrase.len, key);
    passphrase_wipe(&passphrase);
    if (err == -TWZ_EDENIED)
        return fail(TOOL_DENIED, "%s: the passphrase is wrong, or the file is damaged: try again",
                    path);
    if (err == -TWZ_EDAMAGED)
        return fail_key_file(path, err);
    return err < 0 ? fail_twz(path, err) : TOOL_OK;
}

int secret_file_open(const char *path, const char *fd, struct sign_key *key)
{
    struct key_file file;
    struct stat st;
    int err = load_key_file(path, &file, &st);

    if (err == TOOL_OK && (st.st_mode & 077) != 0)
        err = fail(TOOL_DENIED, "%s: other users may read or change this key file: chmod 600 it",
                   path);
    if (err == TOOL_OK)
        err = open_key_file(path, &file, fd, key);
    explicit_bzero(&file, sizeof(file));
    return err;
}

int secret_file_public(const char *path, struct sec_ku *ku, uint32_t *protection)
{
    union {
        struct key_file file;
        struct sec_ku ku;
    } in;
    struct stat st;
    size_t len;
    int err = load(path, &in, sizeof(in), &len, &st);
    bool exported = err == TOOL_OK && len == sizeof(in.ku) && ku_check(&in.ku) == SEC_REASON_NONE;

    if (err == TOOL_OK && !exported)
        err = len == sizeof(in.file) ? keyfile_check(&in.file) : -TWZ_ETYPE;
    if (err < 0)
        err = fail_key_file(path, err);
    if (err == TOOL_OK) {
        *ku = exported ? in.ku : in.file.ku;
        if (protection)
            *protection = exported ? SECRET_FILE_PUBLIC : in.file.protection;
    }
    explicit_bzero(&in, sizeof(in));
    return err;
}
