/* SPDX-License-Identifier: MIT */
/*
 * The names of the system's directories. Every program may write the root directory, so its
 * content may be damaged. /bin and /sys cannot be: they have no WRITE. The FOT of init's own
 * object, which no program can write either, leads to them (twz-obj boot): the entry by ID whose
 * resolver word is TWZ_FOT_SYSTEM + 1 to /bin, that with + 2 to /sys.
 */
#ifndef INIT_NAMES_H
#define INIT_NAMES_H

#include <stdbool.h>

/* Give the system's directories their names in the root directory again, if they have lost them.
 * A directory that was renamed loses its other name. An entry that has its name gets another one.
 * An unusable root directory becomes a new one first. Returns whether something was repaired. */
bool names_repair(void);

#endif
