/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * warmup.h - how long a service takes until a request costs what it usually does, after a start and
 * after its load has jumped: what a forecast has to look ahead at least. Pure.
 */
#ifndef FORESHAPE_WARMUP_H
#define FORESHAPE_WARMUP_H

#include <stdbool.h>
#include <stdint.h>

enum warmup_kind {
	WARMUP_START, /* of its processes: until the first answer counts, too */
	WARMUP_BURST, /* of requests */
	WARMUP_KINDS
};

/* Plain memory, all zero at the start; saved as it is. */
struct warmup {
	struct warmup_window {
		double seconds, cpu_us, usual_us;
		uint32_t is_unknown, answered;
	} window; /* that is filling */
	struct warmup_phase {
		double age_s;     /* since what it is measured from */
		double warm_s;    /* age when windows began to be as usual; < 0: not yet */
		double idle_s;    /* that it has been idle for, before any answer */
		double most_mcpu; /* the load's highest so far */
		uint32_t kind;    /* enum warmup_kind; WARMUP_KINDS: nothing is measured */
		uint32_t has_answered;
	} phase;
	double load_mcpu; /* usual, of about a minute */
	uint32_t has_load, is_running;
	struct warmup_learned {
		double seconds; /* what is taken for it */
		double last_s;  /* as it was the last time */
		uint32_t seen, unused;
	} learned[WARMUP_KINDS];
};

/* One interval. */
struct warmup_sample {
	double seconds;
	double cpu_us;   /* used; NAN: not measured */
	double usual_us; /* that what arrived and was answered usually costs; NAN: not known */
	bool is_empty;   /* no process is there */
	bool answered;
};

void warmup_init(struct warmup *w);
void warmup_observe(struct warmup *w, const struct warmup_sample *s);
/* A gap: what is being measured is dropped. */
void warmup_drop(struct warmup *w);
double warmup_s(const struct warmup *w); /* the longest of what was learned; 0: nothing yet */
bool warmup_is_sound(const struct warmup *w);

#endif
