/* SPDX-License-Identifier: MIT */
/* rm [-f] [-r] FILE...: remove names; -r also removes directories with all below them, -f ignores
 * missing names. rm never removes the root, "." or "..". */
#include <ftw.h>
#include <unistd.h>

#include "tool.h"

static bool force, recursive;

/* A callback of nftw. */
static int remove_visited(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    if ((type == FTW_DP ? rmdir(path) : unlink(path)) < 0)
        report_errno("rm", path);
    return 0;
}

/* Is the path "/", or does it end in "." or ".."? */
static bool is_protected(const char *path)
{
    size_t end = strlen(path), len = 0;
    const char *name;

    while (end > 0 && path[end - 1] == '/')
        end--;
    if (end == 0)
        return *path == '/';
    while (len < end && path[end - len - 1] != '/')
        len++;
    name = path + end - len;
    return name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'));
}

static void remove_operand(const char *path)
{
    struct stat st;

    if (is_protected(path)) {
        errno = EBUSY;
        report_errno("rm", path);
    } else if (lstat(path, &st) < 0) {
        if (errno != ENOENT || !force)
            report_errno("rm", path);
    } else if (!S_ISDIR(st.st_mode)) {
        remove_visited(path, &st, FTW_F, NULL);
    } else if (!recursive) {
        errno = EISDIR;
        report_errno("rm", path);
    } else if (nftw(path, remove_visited, 16, FTW_DEPTH | FTW_PHYS) < 0) {
        report_errno("rm", path);
    }
}

int main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "fr")) != -1) {
        if (c == '?')
            return 2;
        force |= c == 'f';
        recursive |= c == 'r';
    }
    if (optind == argc && !force)
        return report_usage("rm [-f] [-r] FILE...");
    for (int i = optind; i < argc; i++)
        remove_operand(argv[i]);
    return status;
}
