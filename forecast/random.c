// SPDX-License-Identifier: GPL-2.0-or-later
/* random.c - numbers that look random and are the same for the same seed. */
#include "forecast/random.h"

uint64_t random_bits(uint64_t *seed, unsigned int bits)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> (64 - bits);
}

double random_unit(uint64_t *seed)
{
	return (double)random_bits(seed, 53) / 9007199254740992.0;
}
