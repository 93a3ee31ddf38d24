// SPDX-License-Identifier: GPL-2.0-or-later
/* fft.c - a Fourier transform of a power of two. */
#include "forecast/fft.h"

#include <math.h>

size_t fft_size(size_t n)
{
	size_t size = 1;

	while (size < n)
		size *= 2;
	return size;
}

static void reverse_bits(double complex *v, size_t n)
{
	for (size_t i = 1, j = 0; i < n; i++) {
		size_t bit = n >> 1;

		for (; j & bit; bit >>= 1)
			j ^= bit;
		j ^= bit;
		if (i < j) {
			double complex x = v[i];

			v[i] = v[j];
			v[j] = x;
		}
	}
}

void fft_roots(double complex *roots, size_t n)
{
	for (size_t k = 0; k < n / 2; k++) {
		double angle = -2 * M_PI * (double)k / (double)n;

		roots[k] = CMPLX(cos(angle), sin(angle));
	}
}

/* Products are written out: the general complex product asks for NAN at every step. */
static void butterfly(double complex *a, double complex *b, double complex root)
{
	double re = creal(*b) * creal(root) - cimag(*b) * cimag(root);
	double im = creal(*b) * cimag(root) + cimag(*b) * creal(root);
	double are = creal(*a), aim = cimag(*a);

	*a = CMPLX(are + re, aim + im);
	*b = CMPLX(are - re, aim - im);
}

void fft(double complex *v, size_t n, const double complex *roots)
{
	reverse_bits(v, n);
	for (size_t half = 1; half < n; half *= 2) {
		size_t pace = n / (2 * half);

		for (size_t i = 0; i < n; i += 2 * half) {
			for (size_t k = 0; k < half; k++)
				butterfly(&v[i + k], &v[i + half + k], roots[k * pace]);
		}
	}
}
