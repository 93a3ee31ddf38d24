/* SPDX-License-Identifier: GPL-2.0-or-later */
/* blob.h - flat state to bytes and back: a header with kind, length and checksum before a copy. */
#ifndef FORESHAPE_BLOB_H
#define FORESHAPE_BLOB_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that a state of @length bytes takes. */
size_t blob_size(size_t length);

/* @kind names the layout and its version. Returns the bytes written, 0 where @size is too small. */
size_t blob_save(uint64_t kind, const void *state, size_t length, void *buf, size_t size);

/*
 * The @length bytes of state inside @buf, or NULL where it is of another kind or length or is
 * damaged. Not aligned: copy it out.
 */
const void *blob_check(uint64_t kind, size_t length, const void *buf, size_t size);

#endif
