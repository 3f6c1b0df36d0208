/* SPDX-License-Identifier: MIT */
/* ls [-a] [-l] [PATH...]: list names, sorted; -l with mode, links, size and time. */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

static bool show_all, long_format;

static char type_letter(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFCHR: return 'c';
    default: return '-';
    }
}

static void print_long(const struct stat *st, const char *path, const char *name)
{
    char mode[11] = "-rwxrwxrwx", when[32], target[PATH_MAX];
    ssize_t n;

    mode[0] = type_letter(st->st_mode);
    for (int i = 0; i < 9; i++)
        if (!(st->st_mode & (0400u >> i)))
            mode[i + 1] = '-';
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M", localtime(&st->st_mtime));
    printf("%s %3lu %10lld %s %s", mode, (unsigned long)st->st_nlink, (long long)st->st_size, when,
           name);
    if (S_ISLNK(st->st_mode) && (n = readlink(path, target, sizeof(target) - 1)) >= 0) {
        target[n] = 0;
        printf(" -> %s", target);
    }
    putchar('\n');
}

static void print_entry(const char *path, const char *name)
{
    struct stat st;

    if (!long_format)
        puts(name);
    else if (lstat(path, &st) < 0)
        report_errno("ls", path);
    else
        print_long(&st, path, name);
}

/* A filter for scandir. */
static int select_entry(const struct dirent *e)
{
    return show_all || e->d_name[0] != '.';
}

static void print_directory(const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, select_entry, alphasort);

    if (count < 0) {
        report_errno("ls", dir);
        return;
    }
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];

        if (path_in(path, sizeof(path), dir, entries[i]->d_name) == 0)
            print_entry(path, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "al")) != -1) {
        if (c == '?')
            return 2;
        show_all |= c == 'a';
        long_format |= c == 'l';
    }
    if (optind == argc)
        print_directory(".");
    for (int i = optind; i < argc; i++) {
        struct stat st;

        if (lstat(argv[i], &st) < 0) {
            report_errno("ls", argv[i]);
            continue;
        }
        if (S_ISLNK(st.st_mode) && !long_format)
            (void)stat(argv[i], &st);
        if (!S_ISDIR(st.st_mode)) {
            print_entry(argv[i], argv[i]);
            continue;
        }
        if (argc - optind > 1)
            printf("%s:\n", argv[i]);
        print_directory(argv[i]);
    }
    return status;
}
