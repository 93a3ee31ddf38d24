/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rls.h - recursive least squares with a ridge and forgetting, for a handful of inputs. */
#ifndef FORESHAPE_RLS_H
#define FORESHAPE_RLS_H

#include <stddef.h>
#include <stdint.h>

#define RLS_MAX 12 /* inputs */

/* Plain memory: copied and saved as it is. Its numbers, RLS_NUMBERS(n), lie where the owner puts
 * them. */
struct rls {
	uint32_t n;
	float error; /* mean size of errors before the update */
	float seen;
};

/*
 * The @n coefficients, then the inverse of the weighted squares of the inputs. That is U D U', with
 * U upper triangular and ones on its diagonal: its columns, each with its number of D at the end.
 * So it stays positive in numbers of four bytes.
 */
#define RLS_NUMBERS(n) ((n) + (n) * ((n) + 1) / 2)

/* Starts with @n inputs, coefficients 0 held there by a ridge of 1 / @loose squared inputs. */
void rls_init(struct rls *r, float *numbers, size_t n, double loose);

double rls_predict(const struct rls *r, const float *numbers, const double *in);

/*
 * Learns that inputs @in gave @out; the past fades by @keep (0..1] a call. One wild value counts
 * like an error of four mean sizes. O(n^2). Haykin, "Adaptive filter theory", ch. 9; factors by
 * Bierman (1977), "Factorization methods for discrete sequential estimation", ch. V.
 */
void rls_learn(struct rls *r, float *numbers, const double *in, double out, double keep);

#endif
