/* SPDX-License-Identifier: GPL-2.0-or-later */
/* random.h - numbers that look random and are the same for the same seed: all that forecasts use.
 */
#ifndef FORESHAPE_RANDOM_H
#define FORESHAPE_RANDOM_H

#include <stdint.h>

/*
 * The next @bits bits, 1 to 53; *@seed moves on. Linear congruential modulo 2^64, multiplier by
 * Haynes: Knuth (1997), "The Art of Computer Programming", vol. 2, sec. 3.3.4. The lower a bit is
 * the sooner it repeats, so the highest are taken.
 */
uint64_t random_bits(uint64_t *seed, unsigned int bits);

/* Uniform in [0, 1). */
double random_unit(uint64_t *seed);

#endif
