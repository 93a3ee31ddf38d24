/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forecast.h - forecasts of one series as quantiles: the grid, the table of models, and the
 * combination of them that a user of this folder talks to. Pure: no clock, no system call, no log.
 */
#ifndef FORESHAPE_FORECAST_H
#define FORESHAPE_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The grid of levels every forecast carries, ascending. */
enum { Q025, Q05, Q10, Q25, Q50, Q75, Q90, Q95, Q975, Q99, Q999, FORECAST_LEVELS };
extern const double forecast_level[FORECAST_LEVELS];

/*
 * A forecast of one value: never negative, never above 4 x the largest value seen (in an event: and
 * x its stated multiplier), never crossing.
 */
struct forecast {
	double mean;
	double q[FORECAST_LEVELS];
};

/*
 * Reads @f at @level in (0, 1): linear between grid levels, above .99 linear in the logarithm of
 * what is left to 1, also beyond the last level; flat below the first.
 */
double forecast_at(const struct forecast *f, double level);

/*
 * The limit for the next @n steps (at least 1; of more than 64 some are looked at) that costs
 * least: the mean of what it leaves unused in each, and @short_cost, in units of the values, for
 * each step that wants more than it. O(n^2).
 */
double forecast_limit(const struct forecast *steps, size_t n, double short_cost);

struct series_conf {
	uint64_t step_ns;
	unsigned int horizon;    /* the farthest step that will be asked for (and calibrated) */
	unsigned int max_period; /* longest period looked for, in steps; the ring holds 3 of it */
	/* For short steps, of which there are many: a step costs half as much, and each teaches
	 * less. */
	bool brief;
};

/* For the models alone, down to their number; the header of the library does without (public.sed).
 */

/* The recent values of a series, which all its models share; see forecast/past.h. */
struct past;

/*
 * What a model says of one step, on the log scale: the median, and how far below and above it .10
 * and .90 lie, or NAN where it has no view of its own. Spread and tails are learned from errors.
 */
struct guess {
	float x;
	float lo, hi;
};

/*
 * One model of the table. State is plain memory: copied and saved as it is, zeroed before init.
 * Models live on the log scale of forecast/past.h.
 */
struct forecast_model {
	const char *name;   /* "last", "seasonal-naive", "ets", "profile" */
	const char *source; /* of the method */
	size_t (*size)(const struct series_conf *conf); /* bytes of state; NULL: it has none */
	void (*init)(void *state, const struct past *past, const struct series_conf *conf);
	/* One step has passed; @x is what was measured, NAN where it was not; @past has it. */
	void (*observe)(void *state, const struct past *past, double x);
	/* The value @step (from 1) steps ahead. May keep what it worked out in @state. */
	void (*predict)(void *state, const struct past *past, unsigned int step, struct guess *ret);
	/*
	 * Fits anew what takes longer, in the background; writes nothing but the first @fitted
	 * bytes of @state. NULL: nothing does.
	 */
	void (*refit)(void *state, const struct past *past);
	size_t fitted;
	/* Tells a model just initialised the periods found, longest first; @level: where to start.
	 */
	void (*set_periods)(void *state, const struct past *past, const unsigned int *steps,
			    size_t n, double level);
	/* The offset of the log scale goes from @from to @to. NULL: nothing is kept on that scale.
	 */
	void (*rescale)(void *state, const struct past *past, double from, double to);
};
extern const struct forecast_model *const forecast_models[];
extern const size_t forecast_n_models;

#define FORECAST_MAX_MODELS  16
#define FORECAST_MAX_PERIODS 3

/* A series: all models, their weights by recent loss, calibration, a ring of recent values. */
struct series;

/*
 * Returns 0 and *ret (series_free), -EINVAL for a conf out of range (horizon and max_period are
 * 1..100000), -ENOMEM. Memory: 16 KiB at a horizon of 60 and a period of 300, 13 KiB at 24 and
 * 168, and 18 bytes for each further step of max_period.
 */
int series_new(const struct series_conf *conf, struct series **ret);
void series_free(struct series *s);
void series_freep(struct series **s);

/*
 * Takes the value of the next step. NAN, infinite, negative values and those above 1e30 count as
 * not measured; a gap is @value NAN for each step missed (series_skip for many). After 1,000 values
 * one that is rarer than one in 2,000 is not learned, unless three before it were. O(1); no
 * allocation.
 */
void series_observe(struct series *s, double value);
void series_skip(struct series *s, uint64_t steps);

/*
 * A known future event: [start, start + length) in steps from the next one, with a multiplier, or
 * NAN where its effect is to be learned from past events of the same @id: before it (for half its
 * length), while it runs, by position, and after it (for its length). Where more comes than the
 * multiplier says, that is followed at once; where less does, as the event passes: its load may
 * still come, and normal times stay as they were. Kept until it is past.
 * Returns 0, -EINVAL (empty, out of range, a negative multiplier), -ENOSPC (16 are known: try again
 * when one is over), -ENOMEM (the first one takes some 1,700 bytes).
 */
int series_event(struct series *s, uint32_t id, int64_t start, uint64_t length, double multiplier);
/* Drops all events that are not over, running ones too; what was learned of them stays. */
void series_event_clear(struct series *s);

/* A number for the event's name @name: FNV-1a, 32 bits. */
uint32_t series_event_id(const char *name);

/* What was learned of an id: by what factor values are multiplied around its events. */
struct series_effect {
	unsigned int n;               /* occurrences */
	double before, during, after; /* means over what was measured; 1: nothing */
};
/* Returns 0, or -ENOENT: nothing is known of @id. */
int series_event_effect(const struct series *s, uint32_t id, struct series_effect *ret);

/* The value @step (1..horizon) steps ahead. Finite in all cases; all zero before the first value.
 */
void series_predict(const struct series *s, unsigned int step, struct forecast *ret);

/* The largest value over the next @steps steps (1..horizon): quantiles of the maximum, not of a
 * step. */
void series_predict_peak(const struct series *s, unsigned int steps, struct forecast *ret);

/* Never 0; while it stays, so do all forecasts. Not saved. */
uint64_t series_version(const struct series *s);

uint64_t series_count(const struct series *s); /* values observed, gaps not counted */
double series_last(const struct series *s);    /* newest value, NAN before the first */

/*
 * Fills @ret with the newest @n values, oldest first, NAN where not measured. They are as the
 * models know them: to 0.1 %, without the effect of known events. Returns how many there are:
 * @n, or fewer, as many as have passed or are remembered (three times max_period, at least 64).
 */
size_t series_past_values(const struct series *s, double *ret, size_t n);

/* What is shown of the combination: name, weight, mean pinball loss and size of each model; periods
 * found. */
struct series_report {
	size_t n_models;
	struct {
		const char *name;
		double weight, loss;
		size_t bytes; /* of the series that are its own */
	} models[FORECAST_MAX_MODELS];
	size_t n_periods;
	unsigned int periods[FORECAST_MAX_PERIODS];
	double coverage80, coverage90,
		coverage98; /* measured over recent forecasts; NAN: too few */
	double loss;        /* mean pinball loss of the combination */
	uint32_t n_tuned;   /* times better constants were looked for */
	uint32_t n_gained;  /* and found, and proved */
	double gain; /* share of the loss the newest change saved where it was not chosen; 0: none
		      */
};
void series_report(const struct series *s, struct series_report *ret);

/* What did not belong. 1 spike, 2 unrest, 3 hour, 4 range, 5 shift, 6 drought, 7 flat line. */
struct series_anomaly {
	unsigned int kind;      /* of the newest one; 0: none yet */
	uint64_t step;          /* it was found at, counted from 1 */
	double severity;        /* [0, 1] */
	double value, expected; /* NAN: nothing was forecast */
	uint64_t count;         /* of all found */
	double score, p;        /* of the newest step: severity, also where it is none; p-value */
};
void series_anomaly(const struct series *s, struct series_anomaly *ret);

/*
 * The period search is the one thing that is not O(1): the owner takes a job when one is due,
 * runs it where it likes (any thread; it touches only the job), and gives it back. Given back at
 * the same step, results are the same bit for bit.
 */
struct series_job;
struct series_job *series_job_take(struct series *s); /* NULL: none due, or no memory */
void series_job_run(struct series_job *job);
/* Frees @job; @s NULL: what came of it is thrown away. */
void series_job_give(struct series *s, struct series_job *job);

/*
 * The same for fitting constants of the series to its past, where that is proven to pay: due once a
 * day of steps at most, and takes a tenth of a second. An owner that takes none has the usual ones.
 */
struct series_job *series_tune_take(struct series *s);

/* State to bytes and back; the bytes carry a version and a checksum. */
size_t series_save_size(const struct series *s);
size_t series_save(const struct series *s, void *buf,
		   size_t size); /* bytes written, 0: too small */
/* Returns 0, -EINVAL (damaged, another version or conf) or -ENOMEM: @s is then as it was. */
int series_load(struct series *s, const void *buf, size_t size);

#endif
