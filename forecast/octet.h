/* SPDX-License-Identifier: GPL-2.0-or-later */
/* octet.h - sizes in one byte each: four bits of exponent, four of fraction, to 3 %. */
#ifndef FORESHAPE_OCTET_H
#define FORESHAPE_OCTET_H

#include <stdint.h>
#include <string.h>

/* The upper bits of a double are such a number already: one of [1, 2) begins with these. */
#define OCTET_ONE (UINT64_C(1023) << 4)

/* From 2^-14 to 4 times @unit; below: 0, above: as much as there is. */
static inline uint8_t octet_encode(double size, double unit)
{
	double steps = size / unit * 16384;
	uint64_t bits;

	if (!(steps >= 1))
		return 0;
	memcpy(&bits, &steps, sizeof(bits));
	bits = ((bits + (UINT64_C(1) << 47)) >> 48) - OCTET_ONE;
	return (uint8_t)(bits < UINT8_MAX ? bits : UINT8_MAX);
}

static inline double octet_decode(uint8_t code, double unit)
{
	uint64_t bits = (OCTET_ONE + code) << 48;
	double steps;

	memcpy(&steps, &bits, sizeof(steps));
	return code > 0 ? steps / 16384 * unit : 0;
}

#endif
