// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_series.c - libFuzzer: whatever is done to a series, its forecasts are finite and in order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "forecast/forecast.h"
#include "forecast/gru.h"

#define MOST_HORIZON 60
#define MOST_PERIOD  60
#define MOST_SANE    1e30
#define MOST_RUN     100 /* values at once */
#define BOUND        4

enum op {
	OP_VALUE, /* any bits of a double */
	OP_SMALL, /* a small number, again and again */
	OP_WAVE,  /* a period to be found */
	OP_MISSING,
	OP_SKIP,
	OP_EVENT,
	OP_CLEAR,
	OP_PREDICT,
	OP_TAKE,
	OP_GIVE,
	OP_SHARE, /* weights of a network, or none */
	OP_KEEP,  /* save, damage or not, load */
	OP_COUNT
};

/* What is done apart from a series, each beside the other. */
static struct series_job *(*const takes[])(struct series *) = {series_job_take, series_tune_take};
enum { JOBS = sizeof(takes) / sizeof(*takes) };

struct bytes {
	const uint8_t *at;
	size_t left;
};

struct subject {
	struct series *s;
	struct series_conf conf;
	struct series_job *jobs[JOBS];
	struct gru network;
	double most; /* the largest value given */
	bool stated; /* an event had a multiplier: the bound is wider */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next @n bytes as a number; 0 where they end. */
static uint64_t take(struct bytes *b, size_t n)
{
	uint64_t v = 0;

	for (; n > 0 && b->left > 0; n--, b->left--)
		v = v << 8 | *b->at++;
	return v;
}

static double take_double(struct bytes *b)
{
	uint64_t bits = take(b, sizeof(bits));
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static void demand(bool fact)
{
	if (!fact)
		abort();
}

static void check(const struct subject *u, const struct forecast *f)
{
	demand(isfinite(f->mean) && f->mean >= 0);
	for (int i = 0; i < FORECAST_LEVELS; i++) {
		demand(isfinite(f->q[i]) && f->q[i] >= 0);
		demand(i == 0 || f->q[i] >= f->q[i - 1]);
		demand(u->stated || f->q[i] <= BOUND * u->most);
	}
}

static void predict(const struct subject *u, unsigned int step)
{
	struct series_report report;
	struct forecast f;

	series_predict(u->s, step, &f);
	check(u, &f);
	series_predict_peak(u->s, step, &f);
	check(u, &f);
	series_report(u->s, &report);
	for (size_t i = 0; i < report.n_models; i++)
		demand(report.models[i].weight >= 0 && report.models[i].weight <= 1 + 1e-6);
}

static void observe(struct subject *u, double v)
{
	if (v >= 0 && v <= MOST_SANE)
		u->most = fmax(u->most, v);
	series_observe(u->s, v);
}

static void observe_wave(struct subject *u, struct bytes *b)
{
	size_t n = take(b, 1) % MOST_RUN, period = 2 + take(b, 1) % MOST_PERIOD;
	double size = exp2((double)(int8_t)take(b, 1) / 2);

	for (size_t i = 0; i < n; i++)
		observe(u, size * (double)(i % period));
}

static void add_event(struct subject *u, struct bytes *b)
{
	uint32_t id = (uint32_t)take(b, 1);
	bool far = id & 1;
	int64_t start = far ? (int64_t)take(b, 8) : (int8_t)take(b, 1);
	uint64_t length = take(b, far ? 8 : 1);
	double multiplier = id & 2 ? NAN : take_double(b);

	u->stated = u->stated || !isnan(multiplier);
	(void)series_event(u->s, id >> 2, start, length, multiplier);
}

static void take_job(struct subject *u, size_t k)
{
	if (!u->jobs[k])
		u->jobs[k] = takes[k](u->s);
}

static void give_job(struct subject *u, size_t k, bool run)
{
	if (u->jobs[k] && run)
		series_job_run(u->jobs[k]);
	series_job_give(u->s, u->jobs[k]);
	u->jobs[k] = NULL;
}

static void share(struct subject *u, uint64_t seed)
{
	gru_init(&u->network, seed);
	series_share(u->s, seed ? &u->network : NULL);
}

static void keep(struct subject *u, struct bytes *b)
{
	size_t size = series_save_size(u->s), n = take(b, 3);
	unsigned char *buf = malloc(size), bits = (unsigned char)take(b, 1);
	struct series *loaded;

	demand(buf && series_save(u->s, buf, size) == size);
	demand(series_save(u->s, buf, size - 1) == 0);
	demand(series_new(&u->conf, &loaded) == 0);
	buf[n % size] ^= bits;
	demand(series_load(loaded, buf, size) == (bits ? -22 : 0));
	demand(series_load(loaded, buf, n % size) == -22);
	if (bits || u->jobs[0] || u->jobs[1]) {
		series_free(loaded);
	} else {
		series_free(u->s);
		u->s = loaded;
	}
	free(buf);
}

static void act(struct subject *u, struct bytes *b)
{
	switch ((enum op)(take(b, 1) % OP_COUNT)) {
	case OP_VALUE:
		observe(u, take_double(b));
		break;
	case OP_SMALL:
		for (uint64_t n = take(b, 1) % MOST_RUN, v = take(b, 1); n > 0; n--)
			observe(u, (double)v);
		break;
	case OP_WAVE:
		observe_wave(u, b);
		break;
	case OP_MISSING:
		observe(u, NAN);
		break;
	case OP_SKIP:
		series_skip(u->s, take(b, 1 + take(b, 1) % 8));
		break;
	case OP_EVENT:
		add_event(u, b);
		break;
	case OP_CLEAR:
		series_event_clear(u->s);
		break;
	case OP_PREDICT:
		predict(u, (unsigned int)take(b, 1));
		break;
	case OP_TAKE:
		take_job(u, take(b, 1) % JOBS);
		break;
	case OP_GIVE: {
		uint64_t how = take(b, 1);

		give_job(u, how % JOBS, how / JOBS & 1);
		break;
	}
	case OP_SHARE:
		share(u, take(b, 1));
		break;
	case OP_KEEP:
		keep(u, b);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = {data, size};
	struct subject u = {.conf = {.step_ns = 1000000000}};

	u.conf.horizon = 1 + (unsigned int)take(&b, 1) % MOST_HORIZON;
	u.conf.max_period = 1 + (unsigned int)take(&b, 1) % MOST_PERIOD;
	demand(series_new(&u.conf, &u.s) == 0);
	while (b.left > 0)
		act(&u, &b);
	predict(&u, 1);
	predict(&u, u.conf.horizon);
	for (size_t k = 0; k < JOBS; k++) {
		give_job(&u, k, true);
		predict(&u, u.conf.horizon);
	}
	series_free(u.s);
	return 0;
}
