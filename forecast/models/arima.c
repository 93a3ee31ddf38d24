// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arima.c - ARMA(p, q) of the values without their season, or of their changes, fitted in the
 * background on what is remembered: Hannan, Rissanen (1982), orders by Hurvich, Tsai (1989), AICc,
 * seasonal adjustment first (Hyndman, Athanasopoulos (2021), ch. 13). What is not stationary or not
 * invertible by a margin is not taken, and a forecast stays near what was seen.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "forecast/models/adjusted.h"
#include "forecast/models/models.h"

#define MAX_P       3
#define MAX_Q       2
#define MAX_INPUTS  (MAX_P + MAX_Q)
#define LONG_AR     12   /* of the first pass, which finds the innovations */
#define FIT_STEPS   1024 /* the newest ones that are fitted */
#define FIT_LEAST   40
#define STABLE      0.97 /* partial autocorrelations of both polynomials stay below */
#define RIDGE       1e-6
#define WILD        6.0 /* mean errors that one counts at most */
#define SHIFT_RUN   3   /* in a row on one side: the level has moved */
#define ERROR_STEPS 100.0

struct order {
	unsigned int d, p, q;
};

static const struct order orders[] = {
	{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 1, 1}, {0, 2, 1}, {0, 2, 2}, {1, 0, 1},
	{1, 0, 2}, {1, 1, 0}, {1, 2, 0}, {1, 3, 0}, {1, 1, 1}, {1, 2, 1}, {1, 2, 2},
};

/* What is fitted: the newest lag first. */
struct arma {
	struct order order;
	double ar[MAX_P], ma[MAX_Q];
};

/* The newest values without season less the level, and innovations. */
struct lags {
	double rest[MAX_P + 1], shock[MAX_Q];
};

struct arima {
	struct arma fit; /* all that refit writes */
	struct lags now, end;
	double error; /* mean size of innovations */
	int32_t run;
	struct adjusted all; /* last: its numbers follow */
};

static size_t size(const struct series_conf *conf)
{
	return sizeof(struct arima) + adjusted_room(conf);
}

static void init(void *state, const struct past *past, const struct series_conf *conf)
{
	struct arima *m = state;

	(void)past;
	adjusted_init(&m->all, conf);
	/* Until it is fitted: simple exponential smoothing. */
	m->fit = (struct arma){.order = {1, 0, 1}, .ma = {-0.5}};
}

/* The next value less the level. */
static double next(const struct arma *f, const struct lags *l)
{
	double sum = f->order.d > 0 ? l->rest[0] : 0;

	for (unsigned int i = 0; i < f->order.p; i++)
		sum += f->ar[i] * (f->order.d > 0 ? l->rest[i] - l->rest[i + 1] : l->rest[i]);
	for (unsigned int i = 0; i < f->order.q; i++)
		sum += f->ma[i] * l->shock[i];
	return sum;
}

static void push(struct lags *l, double rest, double shock)
{
	memmove(l->rest + 1, l->rest, MAX_P * sizeof(*l->rest));
	memmove(l->shock + 1, l->shock, (MAX_Q - 1) * sizeof(*l->shock));
	l->rest[0] = rest;
	l->shock[0] = shock;
}

/* Cuts a wild *@shock. Returns whether it was one of a run on one side: then the level moves. */
static bool shifted(struct arima *m, double *shock)
{
	double most = WILD * m->error;

	if (m->all.n_values < FIT_LEAST || fabs(*shock) <= most) {
		m->run = 0;
		return false;
	}
	m->run = *shock > 0 ? MAX(m->run, 0) + 1 : MIN(m->run, 0) - 1;
	if (abs(m->run) == SHIFT_RUN)
		return true;
	*shock = copysign(most, *shock);
	return false;
}

static void observe(void *state, const struct past *past, double x)
{
	struct arima *m = state;
	double rest, shock, moved, expected = next(&m->fit, &m->now);

	m->all.n_path = 0;
	if (isnan(x)) {
		push(&m->now, expected, 0);
		return;
	}
	adjusted_see(&m->all, past, x);
	rest = x - past->season - m->all.level;
	shock = rest - expected;
	if (shifted(m, &shock)) {
		m->all.level += rest;
		m->run = 0;
		m->now = (struct lags){};
		return;
	}
	rest = expected + shock;
	m->error += (fabs(shock) - m->error) / fmin(m->all.n_values, ERROR_STEPS);
	moved = adjusted_learn(&m->all, past, rest);
	push(&m->now, rest, shock);
	for (size_t i = 0; i <= MAX_P; i++)
		m->now.rest[i] -= moved;
}

static void predict(void *state, const struct past *past, unsigned int step, struct guess *ret)
{
	struct arima *m = state;
	struct adjusted *all = &m->all;

	if (all->n_values == 0) {
		*ret = models_point(past_last(past));
		return;
	}
	step = MIN(step, all->path_max);
	if (all->n_path == 0)
		m->end = m->now;
	while (all->n_path < step) {
		double base = all->level + past_season(past, past->steps + all->n_path);

		push(&m->end, adjusted_go_on(all, past, base + next(&m->fit, &m->end)) - base, 0);
	}
	*ret = models_point(adjusted_path(all, past, step));
}

/*
 * Whether the polynomial 1 - c[0] z - ... has its roots outside the unit circle by a margin: its
 * partial autocorrelations by the step-down recursion (Barndorff-Nielsen, Schou (1973)).
 */
static bool stable(const double *c, unsigned int n)
{
	double a[MAX_INPUTS];

	memcpy(a, c, n * sizeof(*a));
	for (unsigned int k = n; k > 0; k--) {
		double last = a[k - 1], b[MAX_INPUTS];

		if (!(fabs(last) < STABLE))
			return false;
		for (unsigned int i = 0; i + 1 < k; i++)
			b[i] = (a[i] + last * a[k - 2 - i]) / (1 - last * last);
		memcpy(a, b, (k - 1) * sizeof(*a));
	}
	return true;
}

/* Solves the @n symmetric equations @a by Cholesky's method; the answer replaces @b. */
static bool solve(double a[MAX_INPUTS][MAX_INPUTS], double *b, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		for (unsigned int j = 0; j <= i; j++) {
			double sum = a[i][j];

			for (unsigned int k = 0; k < j; k++)
				sum -= a[i][k] * a[j][k];
			if (i == j && sum <= 0)
				return false;
			a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
		}
		for (unsigned int k = 0; k < i; k++)
			b[i] -= a[i][k] * b[k];
		b[i] /= a[i][i];
	}
	for (unsigned int i = n; i-- > 0;) {
		for (unsigned int k = i + 1; k < n; k++)
			b[i] -= a[k][i] * b[k];
		b[i] /= a[i][i];
	}
	return true;
}

/* Innovations @shock of @w[n] by a long autoregression: Levinson (1947), Durbin (1960). */
static void innovations(const double *w, size_t n, double *shock)
{
	double r[LONG_AR + 1], a[LONG_AR] = {}, left;

	for (size_t k = 0; k <= LONG_AR; k++) {
		r[k] = 0;
		for (size_t t = k; t < n; t++)
			r[k] += w[t] * w[t - k];
	}
	left = r[0] * (1 + RIDGE) + RIDGE * RIDGE;
	for (size_t k = 0; k < LONG_AR; k++) {
		double partial = r[k + 1], b[LONG_AR];

		for (size_t i = 0; i < k; i++)
			partial -= a[i] * r[k - i];
		partial /= left;
		for (size_t i = 0; i < k; i++)
			b[i] = a[i] - partial * a[k - 1 - i];
		memcpy(a, b, k * sizeof(*a));
		a[k] = partial;
		left *= 1 - partial * partial;
	}
	for (size_t t = 0; t < n; t++) {
		shock[t] = w[t];
		for (size_t i = 0; i < LONG_AR && i < t; i++)
			shock[t] -= a[i] * w[t - 1 - i];
	}
}

/* Sums of products of what the largest order looks at, and of that with the value itself. */
struct moments {
	double in[MAX_INPUTS][MAX_INPUTS], out[MAX_INPUTS], squares, n;
};

/* Of @w[n] and its innovations @shock. */
static void sum_up(const double *w, const double *shock, size_t n, struct moments *ret)
{
	*ret = (struct moments){.n = (double)(n - LONG_AR)};
	for (size_t t = LONG_AR; t < n; t++) {
		double in[MAX_INPUTS];

		for (unsigned int i = 0; i < MAX_INPUTS; i++)
			in[i] = i < MAX_P ? w[t - 1 - i] : shock[t - 1 - (i - MAX_P)];
		for (unsigned int i = 0; i < MAX_INPUTS; i++) {
			for (unsigned int j = 0; j <= i; j++)
				ret->in[i][j] += in[i] * in[j];
			ret->out[i] += in[i] * w[t];
		}
		ret->squares += w[t] * w[t];
	}
}

/* Fits @ret->order. Returns AICc, INFINITY where it is not to be taken. */
static double fit(const struct moments *m, struct arma *ret)
{
	unsigned int p = ret->order.p, inputs = p + ret->order.q;
	double a[MAX_INPUTS][MAX_INPUTS], b[MAX_INPUTS], theta[MAX_Q], left = m->squares;
	double k = inputs + 1;

	for (unsigned int i = 0; i < inputs; i++) {
		unsigned int row = i < p ? i : MAX_P + i - p;

		for (unsigned int j = 0; j <= i; j++)
			a[i][j] = m->in[row][j < p ? j : MAX_P + j - p];
		a[i][i] = a[i][i] * (1 + RIDGE) + RIDGE * RIDGE;
		b[i] = m->out[row];
	}
	if (!solve(a, b, inputs))
		return INFINITY;
	for (unsigned int i = 0; i < inputs; i++) {
		*(i < p ? &ret->ar[i] : &ret->ma[i - p]) = b[i];
		left -= b[i] * m->out[i < p ? i : MAX_P + i - p];
	}
	for (unsigned int i = 0; i < ret->order.q; i++)
		theta[i] = -ret->ma[i];
	if (!stable(ret->ar, p) || !stable(theta, ret->order.q))
		return INFINITY;
	return m->n * log(fmax(left, 0) / m->n + 1e-300) + 2 * k * m->n / (m->n - k - 1);
}

/* Values without season and level, oldest first; a gap goes on as before. Returns how many. */
static size_t rests(const struct arima *m, const struct past *past, double *ret)
{
	size_t n = MIN(MIN(past->steps, past->size), FIT_STEPS), count = 0;
	double before = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t lag = n - 1 - i;
		double x = past_at(past, lag);

		if (!isnan(x)) {
			before = x - m->all.level - past_season(past, past->steps - 1 - lag);
			count++;
		}
		ret[i] = before;
	}
	return count < FIT_LEAST ? 0 : n;
}

static void refit(void *state, const struct past *past)
{
	struct arima *m = state;
	_cleanup_(freep) double *numbers = malloc(3 * FIT_STEPS * sizeof(*numbers));
	double *w = numbers, *changes = w + FIT_STEPS, *shock = changes + FIT_STEPS,
	       least = INFINITY;
	size_t n = numbers ? rests(m, past, w) : 0;
	unsigned int d = UINT32_MAX;
	struct moments sums = {};

	if (n == 0)
		return;
	for (size_t i = 1; i < n; i++)
		changes[i - 1] = w[i] - w[i - 1];
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		struct arma one = {.order = orders[i]};
		const double *values = one.order.d > 0 ? changes : w + 1;
		double aicc;

		if (one.order.d != d) {
			innovations(values, n - 1, shock);
			sum_up(values, shock, n - 1, &sums);
		}
		d = one.order.d;
		aicc = fit(&sums, &one);
		if (aicc < least) {
			least = aicc;
			m->fit = one;
		}
	}
}

static void set_periods(void *state, const struct past *past, const unsigned int *steps, size_t n,
			double level)
{
	struct arima *m = state;

	(void)steps, (void)n;
	adjusted_set_periods(&m->all, past, level);
}

static void rescale(void *state, const struct past *past, double from, double to)
{
	struct arima *m = state;

	(void)past;
	adjusted_rescale(&m->all, from, to);
}

const struct forecast_model model_arima = {
	.name = "arima",
	.source = "ARMA of seasonally adjusted values or their changes, fitted in the background",
	.size = size,
	.init = init,
	.observe = observe,
	.predict = predict,
	.refit = refit,
	.fitted = sizeof(struct arma),
	.set_periods = set_periods,
	.rescale = rescale,
};
