/* SPDX-License-Identifier: MIT */
/* rm [-f] [-r] FILE...: remove names; -r with all below a directory, -f without a word about what
 * is not there. */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

static int force, deep;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)at;
    if ((type == FTW_DP ? rmdir(path) : unlink(path)) < 0)
        complain("rm", path);
    return 0;
}

static void remove_name(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        if (errno != ENOENT || !force)
            complain("rm", path);
    } else if (!S_ISDIR(st.st_mode)) {
        remove_one(path, &st, FTW_F, NULL);
    } else if (!deep) {
        errno = EISDIR;
        complain("rm", path);
    } else if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0) {
        complain("rm", path);
    }
}

int main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "fr")) != -1) {
        if (c == '?')
            return 2;
        force |= c == 'f';
        deep |= c == 'r';
    }
    for (int i = optind; i < argc; i++)
        remove_name(argv[i]);
    return status;
}
