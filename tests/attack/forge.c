/* SPDX-License-Identifier: MIT */
/* forge lines | flood N: writes to the kernel's log what the kernel would write, or N times 512
 * bytes. */
#include "attack.h"

static void write_log(const char *text, size_t len)
{
    (void)twz_sys_log_write((const uint8_t *)text, len);
}

static void write_text(const char *text)
{
    write_log(text, strlen(text));
}

int main(int argc, char **argv)
{
    static const char *const lines[] = {
        "twz: fatal: forged\n",
        "panic: forged.c:1: forged\n",
        "a start of a line, forged",
        "\nforged behind a newline\n\n\nforged behind three\n",
        "forged\rforged behind a carriage return\n",
        "[thread 1] forged\n",
    };
    char block[512];

    if (argc > 2 && !strcmp(argv[1], "flood")) {
        memset(block, 'f', sizeof(block));
        for (int i = atoi(argv[2]); i > 0; i--)
            write_log(block, sizeof(block));
        return 0;
    }
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        write_text(lines[i]);
    for (size_t at = 0; at < sizeof(block); at++) { /* a newline at each place of a whole block */
        memset(block, 'x', sizeof(block));
        block[at] = '\n';
        memcpy(block + sizeof(block) - 8, "forged", 6);
        write_log(block, sizeof(block));
    }
    write_text("twin\n");
    return 0;
}
