/* SPDX-License-Identifier: MIT */
/* false: status 1. */

int main(void)
{
    return 1;
}
