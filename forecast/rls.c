// SPDX-License-Identifier: GPL-2.0-or-later
/* rls.c - recursive least squares with a ridge and forgetting, for a handful of inputs. */
#include "forecast/rls.h"

#include <math.h>

#include "agent/base/util.h"

#define CLIP       4.0  /* mean errors that one error counts at most */
#define CLIP_FROM  30.0 /* values, before which none is cut */
#define ERROR_LAST 200.0
#define LOOSE_MAX  1e8 /* what forgetting may let a direction that is never seen grow to */

void rls_init(struct rls *r, size_t n, double loose)
{
	*r = (struct rls){.n = MIN(n, (size_t)RLS_MAX)};
	for (size_t i = 0; i < r->n; i++)
		r->p[i * (i + 3) / 2] = loose;
}

double rls_predict(const struct rls *r, const double *in)
{
	double sum = 0;

	for (size_t i = 0; i < r->n; i++)
		sum += r->coef[i] * in[i];
	return sum;
}

static double cut(struct rls *r, double error)
{
	double size = fabs(error), most = CLIP * r->error;

	if (r->seen > CLIP_FROM && size > most)
		size = most;
	r->seen = fmin(r->seen + 1, ERROR_LAST);
	r->error +=
		(fmin(fabs(error), r->seen > CLIP_FROM ? 2 * most : INFINITY) - r->error) / r->seen;
	return copysign(size, error);
}

void rls_learn(struct rls *r, const double *in, double out, double keep)
{
	double pin[RLS_MAX], below = keep, error = out - rls_predict(r, in), largest = 0;

	if (!isfinite(error))
		return;
	error = cut(r, error);
	for (size_t i = 0, at = 0; i < r->n; i++) {
		pin[i] = 0;
		for (size_t j = 0; j < i; j++, at++) {
			pin[i] += r->p[at] * in[j];
			pin[j] += r->p[at] * in[i];
		}
		largest = fmax(largest, r->p[at]);
		pin[i] += r->p[at++] * in[i];
	}
	for (size_t i = 0; i < r->n; i++)
		below += pin[i] * in[i];
	keep = largest > LOOSE_MAX ? 1 : keep;
	for (size_t i = 0, at = 0; i < r->n; i++) {
		double share = pin[i] / below;

		r->coef[i] += share * error;
		for (size_t j = 0; j <= i; j++, at++)
			r->p[at] = (r->p[at] - share * pin[j]) / keep;
	}
}
