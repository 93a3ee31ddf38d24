/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fft.h - a Fourier transform of a power of two. */
#ifndef FORESHAPE_FFT_H
#define FORESHAPE_FFT_H

#include <complex.h>
#include <stddef.h>

/* Fills @roots (n / 2 of them) for transforms of @n values, a power of two. */
void fft_roots(double complex *roots, size_t n);

/* Transforms @v of @n values in place; @roots as fft_roots made them for @n. Cooley, Tukey (1965).
 */
void fft(double complex *v, size_t n, const double complex *roots);

/* The smallest power of two that is at least @n. */
size_t fft_size(size_t n);

#endif
