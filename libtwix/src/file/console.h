/* SPDX-License-Identifier: MIT */
/*
 * Standard input, output and error: byte channels to the command on the host, over the rings of the
 * console device (twz/device.h). twz/hostlink.h defines what the input bytes mean.
 */
#ifndef TWIX_CONSOLE_H
#define TWIX_CONSOLE_H

#include <twz/device.h>

#include "fd.h"

/* The field sub of the struct file is TWZ_PORT_IN, _OUT, _ERR or _CTL. TWZ_PORT_CTL is the
 * terminal, which reads from port IN and writes to port OUT. */
extern const struct file_ops console_ops;

#endif
