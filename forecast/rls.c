// SPDX-License-Identifier: GPL-2.0-or-later
/* rls.c - recursive least squares with a ridge and forgetting, for a handful of inputs. */
#include "forecast/rls.h"

#include <math.h>

#include "agent/base/util.h"

#define CLIP       4.0  /* mean errors that one error counts at most */
#define CLIP_FROM  30.0 /* values, before which none is cut */
#define ERROR_LAST 200.0
#define LOOSE_MAX  1e8 /* what forgetting may let a direction that is never seen grow to */

void rls_init(struct rls *r, float *numbers, size_t n, double loose)
{
	*r = (struct rls){.n = (uint32_t)MIN(n, (size_t)RLS_MAX)};
	for (size_t i = 0; i < RLS_NUMBERS(r->n); i++)
		numbers[i] = 0;
	for (size_t i = 0; i < r->n; i++)
		numbers[r->n + i * (i + 3) / 2] = (float)loose;
}

double rls_predict(const struct rls *r, const float *numbers, const double *in)
{
	double sum = 0;

	for (size_t i = 0; i < r->n; i++)
		sum += numbers[i] * in[i];
	return sum;
}

static double cut(struct rls *r, double error)
{
	double size = fabs(error), most = CLIP * r->error;

	if (r->seen > CLIP_FROM && size > most)
		size = most;
	r->seen = (float)fmin(r->seen + 1, ERROR_LAST);
	r->error +=
		(float)((fmin(fabs(error), r->seen > CLIP_FROM ? 2 * most : INFINITY) - r->error) /
			r->seen);
	return copysign(size, error);
}

/* Takes @in into the factors; @gain is what an error then adds to the coefficients. */
static void update(float *factors, size_t n, const double *in, double keep, double *gain)
{
	double below = keep, largest = 0;

	for (size_t j = 0; j < n; j++) {
		float *column = &factors[j * (j + 1) / 2];
		double f = in[j], v, share;

		for (size_t i = 0; i < j; i++)
			f += column[i] * in[i];
		v = column[j] * f;
		share = f / below;
		column[j] *= (float)(below / (below + f * v));
		below += f * v;
		gain[j] = v;
		for (size_t i = 0; i < j; i++) {
			double u = column[i];

			column[i] = (float)(u - gain[i] * share);
			gain[i] += u * v;
		}
		largest = fmax(largest, column[j]);
	}
	for (size_t i = 0; i < n; i++)
		gain[i] /= below;
	for (size_t j = 0; j < n && largest < LOOSE_MAX; j++)
		factors[j * (j + 3) / 2] /= (float)keep;
}

void rls_learn(struct rls *r, float *numbers, const double *in, double out, double keep)
{
	double gain[RLS_MAX], error = out - rls_predict(r, numbers, in);

	if (!isfinite(error))
		return;
	error = cut(r, error);
	update(numbers + r->n, r->n, in, keep, gain);
	for (size_t i = 0; i < r->n; i++)
		numbers[i] += (float)(gain[i] * error);
}
