/* SPDX-License-Identifier: GPL-2.0-or-later */
/* series_state.h - what a series is made of: one flat block; for the files of forecast/ alone. */
#ifndef FORESHAPE_SERIES_STATE_H
#define FORESHAPE_SERIES_STATE_H

#include "forecast/anomaly.h"
#include "forecast/events.h"
#include "forecast/forecast.h"
#include "forecast/grid.h"
#include "forecast/past.h"

#define SERIES_MODELS 16 /* of the table */
#define SERIES_BUCKETS                                                                             \
	20 /* horizons 1, 2, 4 ... and the last: weights and calibration for each                  \
	    */
#define SERIES_SLOTS       8 /* forecasts of one bucket that wait for their value ... */
#define SERIES_SLOTS_BRIEF 2 /* ... of a brief series */
#define SERIES_PEAKS       2 /* forecasts of a maximum that wait, a bucket */

#define SERIES_ASKED       8 /* models that are asked for a step: those of most weight ... */
#define SERIES_FIRST       5 /* ... and some of the others in turn */
#define SERIES_ASKED_BRIEF 5 /* of a brief series */
#define SERIES_FIRST_BRIEF 3
#define SERIES_SIDES                                                                               \
	4 /* of them whose sides are kept: so many models of the table have own ones               \
	   */

/* A forecast of one step that waits for its value; of guesses in waiting.c alone. */
struct waiting_step {
	uint32_t due : 31;   /* the step it is about, its lower bits; 0: none waits */
	uint32_t regime : 1; /* when it was issued */
	float x, lo, hi;     /* of the combination, before calibration: median, mean errors */
	float unit;          /* of the guesses, on the log scale; they count from x */
	uint16_t asked, own; /* models, a bit each; those of them that have sides of their own */
	int16_t guess[SERIES_ASKED]; /* in the order of the table */
	uint8_t below[SERIES_SIDES], above[SERIES_SIDES];
};

/* What a model said of a step. */
struct answer {
	size_t model;
	struct guess guess;
};

/* A forecast of a maximum that waits for its end; numbers as the past keeps values. */
struct waiting_peak {
	uint32_t end; /* step after the last, its lower bits; 0: none */
	uint16_t max; /* so far; PAST_NONE: nothing measured */
	uint16_t q[FORECAST_LEVELS];
};

/*
 * Horizons from after the bucket before up to @step. Forecasts of all of them are judged in turn: a
 * single one would be in phase with a season that divides it.
 */
struct bucket {
	uint32_t first, step;   /* horizons */
	uint32_t stride, slots; /* issued every so many steps; waiting at most */
	uint32_t first_slot;
	uint32_t n_scored, n_issued;
	float loss;       /* of the combination */
	float covered[3]; /* share in the intervals of 80, 90, 98 % */
	/* How each model did: its weight, the mean size of its errors in units of lo and hi, and
	 * its mean pinball loss on the log scale. */
	float weight[SERIES_MODELS], scale[SERIES_MODELS], losses[SERIES_MODELS];
	uint8_t n_judged[SERIES_MODELS]; /* values each was judged by, at most UINT8_MAX */
	struct grid_shift shift[PAST_REGIMES], peak_shift;
	struct waiting_peak peaks[SERIES_PEAKS];
};

/* What came of fitting constants to the series. */
struct series_tuned {
	struct series_tuning tuning, challenger;
	uint64_t since;     /* step from which values tell which is better; 0: no challenger */
	float losses[2];    /* of the challenger and of today's, in the proof */
	float sum, square;  /* of the logs of the ratios of their losses */
	uint32_t n_proofs;  /* that were summed up */
	float gain;         /* share of the loss that the newest change saved in the proof */
	uint32_t n_done;    /* times a challenger was looked for */
	uint32_t n_changed; /* times one won */
};

struct series {
	struct series_conf conf;
	uint64_t size_bytes; /* of the block */
	/* What stays when the rest is learned anew. */
	struct series_outer {
		double newest, max; /* as measured, events included */
		uint64_t count;
		uint64_t
			version; /* goes up with all that may change a forecast; 0 in saved bytes */
		struct series_turn {
			uint64_t next; /* step at which a job is due */
			uint64_t out;  /* whether one is out */
		} search, tune;
		struct series_tuned tuned;
		const struct gru *gru; /* NULL in saved bytes */
		struct events *events; /* the series' own; NULL before the first one, in copies
					  and in saved bytes, which they follow */
		struct anomaly anomaly;
		struct series_anomaly found;
		/* The forecast of the next step, which is asked for again and again: as long as
		 * the version is that of the series; 0: none. Not saved. */
		struct series_next {
			uint32_t version; /* its lower bits */
			float q[FORECAST_LEVELS];
		} next;
	} outer;
	/* All below knows the values without the effect of events. */
	/* Mean size of each model's one-step errors, of late and usually; how many it is of. */
	struct health {
		float fast[SERIES_MODELS], slow[SERIES_MODELS];
		uint8_t n[SERIES_MODELS]; /* at most UINT8_MAX */
	} health;
	uint64_t judge_from; /* step; in the first cycle of a period its models have nothing to show
			      */
	uint32_t n_periods, periods[FORECAST_MAX_PERIODS];
	uint32_t n_buckets;
	uint32_t past_at, slots_at, models_at[SERIES_MODELS]; /* offsets from the block's start */
	struct bucket buckets[]; /* horizons 1, 2, 4 ... and the last */
};

static inline struct past *series_past(const struct series *s)
{
	return (struct past *)((char *)s + s->past_at);
}

static inline void *series_model(const struct series *s, size_t model)
{
	return (char *)s + s->models_at[model];
}

/* How many models have a view: the network, last of the table, has none without weights. */
static inline size_t series_speaking(const struct series *s)
{
	return SERIES_MODELS - (series_past(s)->gru == NULL);
}

/* Slot @slot, counted over all buckets. */
static inline struct waiting_step *series_slot(const struct series *s, uint32_t slot)
{
	return (struct waiting_step *)((char *)s + s->slots_at) + slot;
}

/* series_layout.c: bytes of @model; fills in where all lies, @s being the head alone so far; then
 * the buckets' horizons. */
size_t series_model_size(const struct series_conf *conf, const struct forecast_model *model);
void series_lay_out(struct series *s);
void series_lay_buckets(struct series *s);

/* Takes a value (NAN: none) that no event touches. */
void series_learn(struct series *s, double value);

/* Starts over with @n periods, the level at @level (log scale), at step @step. */
void series_restart(struct series *s, const unsigned int *periods, size_t n, double level,
		    uint64_t step);

/*
 * Looks whether @value (NAN: none), which no event touches, belongs; before it is learned. Returns
 * whether it is better not learned.
 */
bool series_look(struct series *s, double value);

/*
 * waiting.c: makes @w, which has a median and its errors, wait for step @due; @answers, in the
 * order of the table, are kept, those without sides of their own having @spread; and tells them,
 * returning how many. Sides are of size 1.
 */
void waiting_begin(struct waiting_step *w, uint64_t due, double spread,
		   const struct answer *answers, size_t n);
size_t waiting_answers(const struct waiting_step *w, struct answer *ret);
bool waiting_is_due(const struct waiting_step *w, uint64_t step);
/* The offset of the log scale goes from @from to @to. */
void waiting_shift(struct waiting_step *w, double from, double to);

/* combine.c: judge what waits for @value, before it enters the past; issue what is due, after. */
void combine_init(struct series *s);
void combine_judge(struct series *s, double value);
void combine_issue(struct series *s);
/* Quantiles of step @step on the log scale, calibrated. */
void combine_predict(const struct series *s, unsigned int step, double *q);

/* peak.c: the same for the maximum of the next steps. */
void peak_judge(struct series *s, double value);
void peak_issue(struct series *s);
/* The offset of the log scale was @from. */
void peak_rescale(const struct series *s, struct bucket *k, double from);
void peak_predict(const struct series *s, unsigned int steps, double *q);

/* The bucket at or after @step, and how far @step lies from the one before towards it. */
size_t series_bucket(const struct series *s, unsigned int step, double *share);

#endif
