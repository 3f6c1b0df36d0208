/* SPDX-License-Identifier: MIT */
/* Regular files: open, read, write, seek, length, names of one file, descriptors. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "say.h"

static char buf[20000];

/* A checksum of all bytes of a file. */
static unsigned long sum_of(const char *name)
{
    unsigned long sum = 5381;
    int fd = open(name, O_RDONLY);
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) > 0)
        for (ssize_t i = 0; i < n; i++)
            sum = sum * 33 + (unsigned char)buf[i];
    close(fd);
    return sum & 0xffffffff;
}

static void opening(void)
{
    int fd;

    SAY(open("none", O_RDONLY));
    SAY(open("none/x", O_WRONLY | O_CREAT, 0644));
    SAY((fd = open("a", O_WRONLY | O_CREAT | O_EXCL, 0640)) >= 0);
    SAY(open("a", O_WRONLY | O_CREAT | O_EXCL, 0640));
    SAY(write(fd, "hello world\n", 12));
    SAY(read(fd, buf, 1));
    SAY(close(fd));
    SAY(close(fd));
    SAY(write(fd, "x", 1));
    SAY(open("a", O_RDONLY | O_DIRECTORY));
    SAY(open("a/b", O_RDONLY));
    SAY(open("a/", O_RDONLY));
    SAY(open(".", O_WRONLY));
    SAY(open("", O_RDONLY));
    SAY((fd = open("a", O_RDONLY)) >= 0);
    SAY(write(fd, "x", 1));
    SAY(ftruncate(fd, 0));
    SAY(read(fd, buf, 5));
    SAY(memcmp(buf, "hello", 5));
    SAY(read(fd, buf, 100));
    SAY(read(fd, buf, 100));
    close(fd);
    SAY((fd = open("a", O_RDWR | O_TRUNC)) >= 0);
    SAY(lseek(fd, 0, SEEK_END));
    close(fd);
}

static void seeking(void)
{
    int fd = open("s", O_RDWR | O_CREAT | O_TRUNC, 0644);

    SAY(write(fd, "0123456789", 10));
    SAY(lseek(fd, 4, SEEK_SET));
    SAY(read(fd, buf, 2));
    SAY(memcmp(buf, "45", 2));
    SAY(lseek(fd, -1, SEEK_CUR));
    SAY(lseek(fd, -3, SEEK_END));
    SAY(lseek(fd, -11, SEEK_END));
    SAY(lseek(fd, 0, 9));
    SAY(lseek(fd, 100, SEEK_SET));
    SAY(read(fd, buf, 2));
    SAY(write(fd, "z", 1));
    SAY(lseek(fd, 0, SEEK_END));
    SAY(pread(fd, buf, 101, 0));
    SAY(buf[9] == '9' && buf[10] == 0 && buf[99] == 0 && buf[100] == 'z');
    SAY(pwrite(fd, "AB", 2, 3));
    SAY(pread(fd, buf, 4, 2));
    SAY(memcmp(buf, "2AB5", 4));
    SAY(lseek(fd, 0, SEEK_CUR));
    SAY(pread(fd, buf, 4, -1));
    close(fd);
    SAY(sum_of("s"));
}

static void lengths(void)
{
    struct stat st;
    int fd = open("l", O_RDWR | O_CREAT | O_TRUNC, 0644);

    memset(buf, 'x', sizeof(buf));
    SAY(write(fd, buf, 10000));
    SAY(ftruncate(fd, 5000));
    SAY(fstat(fd, &st));
    SAY(st.st_size);
    SAY(ftruncate(fd, 12000));
    SAY(sum_of("l"));
    SAY(truncate("l", 3));
    SAY(pwrite(fd, "end", 3, 9000));
    SAY(sum_of("l"));
    SAY(ftruncate(fd, -1));
    SAY(truncate("none", 3));
    SAY(posix_fallocate(fd, 0, 20000));
    SAY(fstat(fd, &st));
    SAY(st.st_size);
    SAY(sum_of("l"));
    close(fd);
}

static void appending(void)
{
    int one = open("p", O_WRONLY | O_CREAT | O_APPEND, 0644);
    int two = open("p", O_WRONLY | O_APPEND);

    SAY(write(one, "one", 3));
    SAY(write(two, "two", 3));
    SAY(write(one, "three", 5));
    SAY(lseek(one, 0, SEEK_CUR));
    SAY(lseek(two, 0, SEEK_SET));
    SAY(write(two, "four", 4));
    SAY(fcntl(two, F_GETFL) & O_APPEND ? 1 : 0);
    SAY(fcntl(two, F_SETFL, 0));
    SAY(lseek(two, 0, SEEK_SET));
    SAY(write(two, "ONE", 3));
    close(one);
    close(two);
    SAY(sum_of("p"));
}

static void vectors(void)
{
    struct iovec out[3] = { { "abc", 3 }, { NULL, 0 }, { "defgh", 5 } };
    char a[2], b[10];
    struct iovec in[2] = { { a, 2 }, { b, 10 } };
    int too_many = getpid() > 0 ? -1 : 0; /* not a constant: compilers warn */
    int fd = open("v", O_RDWR | O_CREAT | O_TRUNC, 0644);

    SAY(writev(fd, out, 3));
    SAY(lseek(fd, 0, SEEK_SET));
    SAY(readv(fd, in, 2));
    SAY(memcmp(a, "ab", 2));
    SAY(memcmp(b, "cdefgh", 6));
    SAY(preadv(fd, in, 2, 6));
    SAY(writev(fd, out, too_many));
    close(fd);
}

static void names(void)
{
    struct stat a, b;
    int fd = open("n1", O_RDWR | O_CREAT | O_TRUNC, 0600);

    SAY(write(fd, "kept", 4));
    SAY(link("n1", "n2"));
    SAY(link("n1", "n2"));
    SAY(link("none", "n3"));
    SAY(stat("n1", &a));
    SAY(stat("n2", &b));
    HOLDS(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    SAY(a.st_nlink);
    SAY(a.st_mode & 07777);
    SAY(S_ISREG(a.st_mode) != 0);
    SAY(unlink("n1"));
    SAY(stat("n1", &a));
    SAY(fstat(fd, &a));
    SAY(a.st_nlink);
    SAY(unlink("n2"));
    SAY(unlink("n2"));
    SAY(fstat(fd, &a));
    SAY(a.st_nlink);
    SAY(pread(fd, buf, 10, 0));
    SAY(memcmp(buf, "kept", 4));
    SAY(pwrite(fd, "more", 4, 4));
    SAY(lseek(fd, 0, SEEK_END));
    close(fd);
}

/* rename that must fail if the new name exists. */
static long rename_new(const char *from, const char *to)
{
    return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 1);
}

static void renaming(void)
{
    int fd = open("r1", O_WRONLY | O_CREAT | O_TRUNC, 0644);

    SAY(write(fd, "first", 5));
    close(fd);
    fd = open("r2", O_WRONLY | O_CREAT | O_TRUNC, 0644);
    SAY(write(fd, "second one", 10));
    close(fd);
    fd = open("r2", O_RDONLY);
    SAY(rename("r1", "r2"));
    SAY(access("r1", F_OK));
    SAY(sum_of("r2"));
    SAY(read(fd, buf, 20));
    SAY(memcmp(buf, "second one", 10));
    close(fd);
    SAY(link("r2", "r3"));
    SAY(rename("r2", "r3"));
    SAY(rename_new("r2", "r3"));
    SAY(rename_new("r2", "r2"));
    SAY(unlink("r3"));
    SAY(rename_new("r2", "r3"));
    SAY(rename("r3", "r2"));
    SAY(rename("none", "r2"));
    SAY(rename("r2", "none/r2"));
    SAY(rename("r2", "r2"));
    SAY(access("r2", R_OK | W_OK));
    SAY(access("r2", X_OK));
    SAY(chmod("r2", 0700));
    SAY(access("r2", X_OK));
}

static void descriptors(void)
{
    int fd = open("d", O_RDWR | O_CREAT | O_TRUNC, 0644), two;

    SAY(write(fd, "abcdef", 6));
    two = dup(fd);
    SAY(lseek(two, 2, SEEK_SET));
    SAY(read(fd, buf, 2));
    SAY(memcmp(buf, "cd", 2));
    SAY(lseek(two, 0, SEEK_CUR));
    SAY(dup2(fd, 77));
    SAY(close(fd));
    SAY(read(77, buf, 1));
    SAY(fcntl(77, F_GETFD));
    SAY(fcntl(77, F_SETFD, FD_CLOEXEC));
    SAY(fcntl(77, F_GETFD));
    SAY(fcntl(77, F_DUPFD, 90));
    SAY(fcntl(90, F_GETFD));
    SAY(dup2(77, 77));
    SAY(dup2(500, 77));
    SAY(dup2(77, -1));
    SAY(close(500));
    SAY(isatty(77));
    close(77);
    close(90);
    close(two);
}

/* As many open files as a process may have: one more is refused, of whatever kind, and the others
 * stay as they were. */
static void too_many(void)
{
    const struct rlimit limit = { 1024, 1024 };
    int ends[2], last = -1, fd;

    SAY(setrlimit(RLIMIT_NOFILE, &limit));
    while ((fd = open("s", O_RDONLY)) >= 0)
        last = fd;
    SAY(fd);
    SAY(last);
    SAY(open("s", O_RDONLY));
    SAY(open("new", O_WRONLY | O_CREAT, 0644));
    SAY(open(".", O_RDONLY));
    SAY(open("/dev/null", O_RDONLY));
    SAY(dup(1));
    SAY(pipe(ends));
    SAY(pread(last, buf, 2, 4));
    SAY(close(last));
    SAY(open("s", O_RDONLY));
    while (last > 2)
        close(last--);
}

/* Buffers that are not mapped; volatile hides the address from the compiler's warnings. */
static void bad_buffers(void)
{
    char *volatile hidden = (char *)(uintptr_t)16;
    char *nowhere = hidden;
    int fd = open("b", O_RDWR | O_CREAT | O_TRUNC, 0644);

    SAY(write(fd, "good", 4));
    SAY(write(fd, nowhere, 4));
    SAY(pread(fd, nowhere, 4, 0));
    SAY(pread(fd, nowhere, 4, 100));
    SAY(lseek(fd, 0, SEEK_END));
    SAY(pread(fd, buf, 10, 0));
    SAY(memcmp(buf, "good", 4));
    close(fd);
}

/* Paths that are not mapped, and paths that are too long, in every call that takes one. */
static void bad_paths(void)
{
    char *volatile hidden = (char *)(uintptr_t)16;
    const char *nowhere = hidden;
    static char endless[5000];
    struct stat st;

    for (int i = 0; i < 2; i++, nowhere = endless) {
        SAY(open(nowhere, O_RDONLY));
        SAY(open(nowhere, O_RDONLY | O_CREAT, 0644));
        SAY(creat(nowhere, 0644));
        SAY(truncate(nowhere, 0));
        SAY(stat(nowhere, &st));
        SAY(lstat(nowhere, &st));
        SAY(fstatat(AT_FDCWD, nowhere, &st, AT_EMPTY_PATH));
        SAY(access(nowhere, F_OK));
        SAY(chdir(nowhere));
        SAY(mkdir(nowhere, 0755));
        SAY(rmdir(nowhere));
        SAY(unlink(nowhere));
        SAY(rename(nowhere, "x"));
        SAY(rename("b", nowhere));
        SAY(link(nowhere, "x"));
        SAY(link("b", nowhere));
        SAY(symlink(nowhere, "x"));
        SAY(symlink("b", nowhere));
        SAY(readlink(nowhere, buf, sizeof(buf)));
        SAY(chmod(nowhere, 0644));
        SAY(chown(nowhere, -1, -1));
        SAY(utimensat(AT_FDCWD, nowhere, NULL, 0));
        memset(endless, 'e', sizeof(endless) - 1);
    }
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    opening();
    seeking();
    lengths();
    appending();
    vectors();
    names();
    renaming();
    descriptors();
    too_many();
    bad_buffers();
    bad_paths();
    return 0;
}
