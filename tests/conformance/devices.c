/* SPDX-License-Identifier: MIT */
/* Devices, standard descriptors, and facts about the machine. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sched.h>
#include <unistd.h>

#include "say.h"

static char buf[70000];

static long zeroes(size_t len)
{
    long n = 0;

    for (size_t i = 0; i < len; i++)
        n += buf[i] == 0;
    return n;
}

static void devices(void)
{
    struct stat st;
    int fd = open("/dev/null", O_RDWR);

    SAY(read(fd, buf, 10));
    SAY(write(fd, buf, 10));
    SAY(lseek(fd, 100, SEEK_SET) >= 0);
    SAY(fstat(fd, &st));
    SAY(S_ISCHR(st.st_mode) != 0);
    SAY(isatty(fd));
    close(fd);
    fd = open("/dev/zero", O_RDONLY);
    memset(buf, 1, sizeof(buf));
    SAY(read(fd, buf, 5000));
    SAY(zeroes(5001));
    SAY(write(fd, buf, 1));
    close(fd);
    fd = open("/dev/full", O_WRONLY);
    SAY(write(fd, buf, 1));
    close(fd);
    fd = open("/dev/urandom", O_RDONLY);
    memset(buf, 0, sizeof(buf));
    SAY(read(fd, buf, 65536));
    HOLDS(zeroes(65536) < 1000);
    close(fd);
    SAY(stat("/dev/null", &st));
    SAY(S_ISCHR(st.st_mode) != 0);
    SAY(access("/dev/null", R_OK | W_OK));
    SAY(open("/dev/none", O_RDONLY));
    SAY(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0644) >= 0);
    SAY(open("/dev/null", O_WRONLY | O_CREAT | O_EXCL, 0644));
}

static void standard(void)
{
    struct pollfd p = { 1, POLLOUT, 0 };
    struct winsize size;
    char c;

    SAY(isatty(1));
    SAY(ioctl(1, TIOCGWINSZ, &size));
    SAY(poll(&p, 1, 1000));
    SAY(p.revents);
    SAY(read(0, &c, 1));
    SAY(lseek(1, 0, SEEK_CUR));
    SAY(dup2(1, 50));
    SAY(write(50, "through a copy\n", 15));
    SAY(close(50));
    SAY(fcntl(2, F_GETFL) & O_ACCMODE);
    SAY(close(0));
    SAY(open("/dev/null", O_RDONLY));
}

static void machine(void)
{
    struct utsname u;
    struct rlimit limit;
    struct rusage usage;
    struct statvfs fs;
    unsigned char a[16] = { 0 }, b[16] = { 0 };
    cpu_set_t cores;

    SAY(uname(&u));
    HOLDS(strlen(u.sysname) > 0 && !strcmp(u.machine, "x86_64"));
    SAY(getrlimit(RLIMIT_NOFILE, &limit));
    HOLDS(limit.rlim_cur >= 64);
    SAY(setrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = limit.rlim_max + 1;
    SAY(limit.rlim_max == RLIM_INFINITY ? -1 : setrlimit(RLIMIT_NOFILE, &limit));
    SAY(getrlimit(999, &limit));
    HOLDS(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
    HOLDS(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
    HOLDS(getauxval(AT_PAGESZ) == 4096 && getauxval(AT_CLKTCK) == 100 && !getauxval(AT_SECURE));
    SAY(getrusage(RUSAGE_SELF, &usage));
    HOLDS(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_usec < 1000000);
    SAY(getrandom(a, sizeof(a), 0));
    SAY(getrandom(b, sizeof(b), 0));
    HOLDS(memcmp(a, b, sizeof(a)) != 0);
    SAY(sysconf(_SC_PAGESIZE));
    HOLDS(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    SAY(sched_getaffinity(0, sizeof(cores), &cores));
    HOLDS(CPU_COUNT(&cores) >= 1);
    SAY(sched_yield());
    SAY(statvfs(".", &fs));
    HOLDS(fs.f_blocks > fs.f_bfree && fs.f_namemax == 255);
    SAY(getpgrp() > 0);
    HOLDS(getuid() == geteuid() && getgid() == getegid());
    SAY(umask(027));
    SAY(umask(022));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    devices();
    standard();
    machine();
    return 0;
}
