/* SPDX-License-Identifier: MIT */
/*
 * Bytes and frames between init and twz-run on the host: the rings of the console object
 * (twz/device.h) and the protocol that they carry (twz/hostlink.h). One thread must use it.
 */
#ifndef INIT_LINK_H
#define INIT_LINK_H

#include <stdbool.h>
#include <twz/device.h>
#include <twz/hostlink.h>
#include <twz/program.h>
#include <twz/sync.h>

/* 0, or -TWZ_ENOOBJ: the machine has no console. Must precede all other calls. */
int link_open(void);

/* Write all bytes to a port (TWZ_PORT_*); block while its ring is full. */
void link_write(uint32_t port, const void *bytes, uint64_t len);

/* Write text to standard error. */
void link_text(const char *text);

/* Block until the device has taken all bytes that were written to the port. */
void link_drain(uint32_t port);

/* From now on the runtime's writes to the port fail with `error`, a Linux error number. */
void link_set_error(uint32_t port, uint32_t error);

void link_send(uint16_t type, const void *payload, uint32_t len);

/*
 * Receive the next frame from the host; its payload is cut to `size` bytes. Blocks until a frame
 * comes (true), or until `process`, if not NULL, has ended (false, and *end).
 */
bool link_receive(struct twz_host_frame *frame, void *payload, uint32_t size,
                  const struct twz_process *process, struct twz_program_end *end);

#endif
