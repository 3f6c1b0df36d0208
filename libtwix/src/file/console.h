/* SPDX-License-Identifier: MIT */
/*
 * Standard input, output and error: byte channels to the command on the host, through the rings of
 * the console device (twz/device.h); what the bytes of the input mean is in twz/hostlink.h.
 */
#ifndef TWIX_CONSOLE_H
#define TWIX_CONSOLE_H

#include <twz/device.h>

#include "fd.h"

/* sub of the struct file: TWZ_PORT_IN, _OUT, _ERR; TWZ_PORT_CTL stands for the terminal: input is
 * read from IN, output goes to OUT. */
extern const struct file_ops console_ops;

#endif
