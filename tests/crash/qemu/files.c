/* SPDX-License-Identifier: MIT */
/*
 * files do OP...: run file operations below /data/t, each with one POSIX call if possible, and
 * write one byte to standard output after each. files dump: print each directory as "D path" and
 * each file as "F path bytes-in-hexadecimal".
 *
 *   mkdir:PATH rmdir:PATH create:PATH unlink:PATH rename:PATH:PATH truncate:PATH:LEN
 *   write:PATH:OFFSET:LEN:SEED   byte i of the file is (SEED + 7 * i) & 255 from OFFSET on
 *   map:PATH:OFFSET:LEN:SEED:HOW   the same by stores into a mapping of the file, which is long
 *      enough; HOW makes them durable: m msync, f fsync, d fdatasync, s sync, n nothing
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOP     "/data/t"
#define FIELDS  6
#define LEN_MAX 16384

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void path_of(char *out, size_t size, const char *name)
{
    if ((size_t)snprintf(out, size, "%s/%s", TOP, name) >= size)
        fail(name);
}

static int write_file(const char *path, long offset, long len, unsigned seed)
{
    static unsigned char bytes[LEN_MAX];
    int fd = open(path, O_WRONLY);

    if (fd < 0 || len > LEN_MAX)
        return -1;
    for (long i = 0; i < len; i++)
        bytes[i] = (unsigned char)(seed + 7 * (unsigned)(offset + i));
    if (pwrite(fd, bytes, (size_t)len, offset) != len)
        return -1;
    return close(fd);
}

static int make_durable(char how, void *at, size_t len, int fd)
{
    switch (how) {
    case 'm': return msync(at, len, MS_SYNC);
    case 'f': return fsync(fd);
    case 'd': return fdatasync(fd);
    case 's': sync(); return 0;
    default: return 0;
    }
}

static int write_mapping(const char *path, char **field)
{
    long offset = atol(field[2]), len = atol(field[3]);
    unsigned seed = (unsigned)atol(field[4]);
    size_t all = (size_t)(offset + len);
    int fd = open(path, O_RDWR);
    unsigned char *at;
    int err;

    if (fd < 0)
        return -1;
    at = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return -1;
    for (long i = offset; i < offset + len; i++)
        at[i] = (unsigned char)(seed + 7 * (unsigned)i);
    err = make_durable(field[5][0], at, all, fd);
    if (munmap(at, all) < 0)
        err = -1;
    return close(fd) < 0 ? -1 : err;
}

static int create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

    return fd < 0 ? fd : close(fd);
}

static int run_operation(char **field)
{
    char path[256];
    char other[256];

    path_of(path, sizeof(path), field[1]);
    if (!strcmp(field[0], "mkdir"))
        return mkdir(path, 0755);
    if (!strcmp(field[0], "rmdir"))
        return rmdir(path);
    if (!strcmp(field[0], "create"))
        return create(path);
    if (!strcmp(field[0], "unlink"))
        return unlink(path);
    if (!strcmp(field[0], "truncate"))
        return truncate(path, atol(field[2]));
    if (!strcmp(field[0], "write"))
        return write_file(path, atol(field[2]), atol(field[3]), (unsigned)atol(field[4]));
    if (!strcmp(field[0], "map"))
        return write_mapping(path, field);
    path_of(other, sizeof(other), field[2]);
    return strcmp(field[0], "rename") ? -1 : rename(path, other);
}

static void run_operation_text(char *text)
{
    char copy[512];
    char *field[FIELDS] = { "", "", "", "", "", "" };
    char *at = copy;

    snprintf(copy, sizeof(copy), "%s", text);
    for (int i = 0; i < FIELDS && at; i++)
        field[i] = strsep(&at, ":");
    if (run_operation(field) < 0)
        fail(text);
    if (write(STDOUT_FILENO, ".", 1) != 1)
        fail("standard output");
}

static void dump_file(const char *path, const char *name)
{
    FILE *f = fopen(path, "r");
    int c;

    if (!f)
        fail(path);
    printf("F %s ", name);
    while ((c = getc(f)) != EOF)
        printf("%02x", c);
    printf("\n");
    fclose(f);
}

static void dump(const char *below)
{
    char path[400];
    char name[300];
    DIR *dir;
    struct dirent *entry;

    snprintf(path, sizeof(path), "%s%s", TOP, below);
    dir = opendir(path);
    if (!dir)
        fail(path);
    while ((entry = readdir(dir))) {
        struct stat st;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        snprintf(name, sizeof(name), "%s/%.200s", below, entry->d_name);
        snprintf(path, sizeof(path), "%s%s", TOP, name);
        if (stat(path, &st) < 0)
            fail(path);
        if (S_ISDIR(st.st_mode)) {
            printf("D %s\n", name + 1);
            dump(name);
        } else {
            dump_file(path, name + 1);
        }
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "dump")) {
        dump("");
        return 0;
    }
    for (int i = 2; i < argc; i++)
        run_operation_text(argv[i]);
    return 0;
}
