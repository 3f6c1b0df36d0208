/* SPDX-License-Identifier: MIT */
/* Directories, symbolic links, paths. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static char type_letter(int type)
{
    switch (type) {
    case DT_REG: return '-';
    case DT_DIR: return 'd';
    case DT_LNK: return 'l';
    default: return '?';
    }
}

/* Lists the names, each with a letter for its type behind it. */
static void list(const char *dir)
{
    char *names[300];
    int n = 0;
    struct dirent *e;
    DIR *d = opendir(dir);

    printf("%s:", dir);
    if (!d) {
        printf(" %s\n", error_name(errno));
        return;
    }
    while ((e = readdir(d)) && n < 300)
        if (asprintf(&names[n], "%s %c", e->d_name, type_letter(e->d_type)) > 0)
            n++;
    closedir(d);
    qsort(names, (size_t)n, sizeof(names[0]), by_name);
    for (int i = 0; i < n; i++) {
        if (n < 20)
            printf(" %s", names[i]);
        free(names[i]);
    }
    printf(" (%d)\n", n);
}

static void touch(const char *name)
{
    close(open(name, O_WRONLY | O_CREAT, 0644));
}

static void making(void)
{
    struct stat st;

    SAY(mkdir("d", 0755));
    SAY(mkdir("d", 0755));
    SAY(mkdir("none/d", 0755));
    SAY(mkdir("d/e", 0700));
    SAY(stat("d/e", &st));
    SAY(S_ISDIR(st.st_mode) != 0);
    SAY(st.st_mode & 07777);
    touch("d/f");
    SAY(mkdir("d/f", 0755));
    SAY(mkdir("d/f/g", 0755));
    list("d");
    list("d/f");
    SAY(rmdir("d"));
    SAY(rmdir("d/f"));
    SAY(unlink("d/e"));
    SAY(rmdir("d/e"));
    SAY(rmdir("d/e"));
    SAY(unlink("d/f"));
    SAY(rmdir("d/."));
    SAY(rmdir("d/"));
    SAY(stat("d", &st));
}

static void walking(void)
{
    char cwd[PATH_MAX], start[PATH_MAX];
    struct stat a, b;
    int fd;

    mkdir("w", 0755);
    mkdir("w/x", 0755);
    touch("w/x/file");
    SAY(getcwd(start, sizeof(start)) != NULL);
    SAY(chdir("w/x"));
    SAY(getcwd(cwd, sizeof(cwd)) != NULL);
    printf("below: %s\n", cwd + strlen(start));
    SAY(access("file", F_OK));
    SAY(access("../x/./file", F_OK));
    SAY(access("../../w//x///file", F_OK));
    SAY(access("../file", F_OK));
    SAY(access("file/..", F_OK));
    SAY(stat("..", &a));
    SAY(chdir(".."));
    SAY(stat(".", &b));
    HOLDS(a.st_ino == b.st_ino);
    SAY(chdir("x/file"));
    SAY(chdir("none"));
    fd = open("x", O_RDONLY | O_DIRECTORY);
    SAY(openat(fd, "file", O_RDONLY) >= 0);
    SAY(openat(fd, "none", O_RDONLY));
    SAY(mkdirat(fd, "made", 0755));
    SAY(fstatat(fd, "made", &a, 0));
    SAY(unlinkat(fd, "made", 0));
    SAY(unlinkat(fd, "made", AT_REMOVEDIR));
    SAY(fchdir(fd));
    SAY(access("file", F_OK));
    SAY(read(fd, cwd, 1));
    close(fd);
    errno = 0;
    HOLDS(!getcwd(cwd, 2) && errno == ERANGE);
    SAY(stat("/..", &a));
    SAY(stat("/", &b));
    HOLDS(a.st_ino == b.st_ino);
    SAY(chdir(start));
}

static void linking(void)
{
    char text[100];
    struct stat st;

    touch("target");
    SAY(symlink("target", "l1"));
    SAY(symlink("x", "l1"));
    SAY(readlink("l1", text, sizeof(text)));
    SAY(memcmp(text, "target", 6));
    SAY(readlink("l1", text, 3));
    SAY(readlink("target", text, 3));
    SAY(stat("/dev/null", &st)); /* its st_rdev is not 0 */
    SAY(lstat("l1", &st));
    SAY(S_ISLNK(st.st_mode) != 0);
    SAY(st.st_size);
    SAY(st.st_rdev);
    SAY(stat("l1", &st));
    SAY(S_ISREG(st.st_mode) != 0);
    SAY(symlink("nowhere", "l2"));
    SAY(stat("l2", &st));
    SAY(open("l2", O_RDONLY | O_NOFOLLOW));
    SAY(open("l2", O_WRONLY | O_CREAT | O_EXCL, 0644));
    SAY(symlink("l4", "l3"));
    SAY(symlink("l3", "l4"));
    SAY(open("l3", O_RDONLY));
    SAY(symlink("w", "dirlink"));
    SAY(access("dirlink/x/file", F_OK));
    list(".");
    SAY(unlink("l1"));
    SAY(access("target", F_OK));
    SAY(rename("dirlink", "dirlink2"));
    SAY(lstat("dirlink2", &st));
    SAY(S_ISLNK(st.st_mode) != 0);
    SAY(unlink("l2"));
    SAY(unlink("l3"));
    SAY(unlink("l4"));
    SAY(unlink("dirlink2"));
}

static void moving(void)
{
    mkdir("m1", 0755);
    mkdir("m2", 0755);
    mkdir("m1/in", 0755);
    touch("m1/in/file");
    touch("plain");
    SAY(rename("m1", "m1/in/m1"));
    SAY(rename("m1", "m2"));
    SAY(access("m2/in/file", F_OK));
    SAY(access("m1", F_OK));
    SAY(mkdir("m1", 0755));
    SAY(rename("m1", "m2"));
    SAY(rename("plain", "m2"));
    SAY(rename("m2", "plain"));
    SAY(rename("m2/in", "m1/in"));
    SAY(access("m1/in/../in/file", F_OK));
    list("m1");
    list("m2");
}

static void many(void)
{
    char name[64];
    DIR *d;
    struct dirent *e;
    long place = 0;
    int n = 0, again = 0;

    mkdir("many", 0755);
    for (int i = 0; i < 250; i++) {
        snprintf(name, sizeof(name), "many/entry-with-a-longer-name-%d", i);
        touch(name);
    }
    list("many");
    d = opendir("many");
    while ((e = readdir(d))) {
        n++;
        if (n == 100)
            place = telldir(d);
    }
    seekdir(d, place);
    while (readdir(d))
        again++;
    printf("%d of %d again\n", again, n);
    rewinddir(d);
    for (n = 0; (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "many/%.50s", e->d_name);
        n += unlink(name) == 0;
    }
    closedir(d);
    printf("%d removed while read\n", n);
    list("many");
    memset(name, 'n', sizeof(name));
    SAY(rmdir("many"));
}

static void long_names(void)
{
    static char name[300], path[5000];

    memset(name, 'a', 255);
    touch(name);
    SAY(access(name, F_OK));
    SAY(unlink(name));
    name[255] = 'a';
    SAY(open(name, O_WRONLY | O_CREAT, 0644));
    memset(path, '/', sizeof(path) - 1);
    SAY(access(path, F_OK));
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    umask(022);
    if (argc != 2 || chdir(argv[1]) < 0)
        return 2;
    making();
    walking();
    linking();
    moving();
    many();
    long_names();
    return 0;
}
