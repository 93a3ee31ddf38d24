// SPDX-License-Identifier: GPL-2.0-or-later
/* warmup.c - from a start or a burst to the first of two windows in a row at the usual cost. */
#include <math.h>
#include <string.h>

#include "agent/base/util.h"
#include "shaping/warmup.h"

#define WINDOW_S     5.0   /* at least: over a second, a few requests make the cost */
#define WARM_BELOW   1.2   /* times the usual cost */
#define JUDGED_MCPU  10.0  /* a window whose requests cost less says nothing */
#define BURST_TIMES  1.5   /* the usual load */
#define KEPT_PART    0.7   /* of the highest load: below, it is the load that is over */
#define LOAD_S       60.0  /* of the mean */
#define IDLE_MCPU    5.0   /* less is used by what waits for its first request */
#define IDLE_S       10.0  /* so long it has started */
#define LONGEST_S    300.0 /* what takes longer is no warm-up: the cost is another one now */
#define MCPU_SANE    1e8   /* no host has so many CPUs */
#define SHORTER_PART 0.25  /* of the way, each time it was shorter */

static void stop(struct warmup *w)
{
	w->phase = (struct warmup_phase){.kind = WARMUP_KINDS};
}

void warmup_init(struct warmup *w)
{
	memset(w, 0, sizeof(*w));
	stop(w);
}

void warmup_drop(struct warmup *w)
{
	w->window = (struct warmup_window){};
	stop(w);
}

static bool measures(const struct warmup *w)
{
	return w->phase.kind < WARMUP_KINDS;
}

static void begin(struct warmup *w, enum warmup_kind kind)
{
	w->phase = (struct warmup_phase){.kind = kind, .warm_s = -1};
}

/* Once alone may be chance: it counts as long as two in a row took; shorter ones count slowly. */
static void end(struct warmup *w, double took_s)
{
	struct warmup_learned *l = &w->learned[w->phase.kind];
	double both = l->seen ? fmin(took_s, l->last_s) : 0;

	l->last_s = took_s;
	if (both >= l->seconds)
		l->seconds = both;
	else if (took_s < l->seconds)
		l->seconds += SHORTER_PART * (took_s - l->seconds);
	l->seen += l->seen < UINT32_MAX;
	stop(w);
}

static bool between(double v, double least, double most)
{
	return v >= least && v <= most;
}

static double mcpu(double us, double seconds)
{
	return us / seconds / (double)(US_PER_S / MCPU);
}

/* Before its first answer: it has started, too, when it waits for work. */
static void judge_start(struct warmup *w, const struct warmup_window *v)
{
	struct warmup_phase *p = &w->phase;

	p->has_answered |= v->answered;
	if (p->has_answered)
		return;
	p->idle_s = mcpu(v->cpu_us, v->seconds) < IDLE_MCPU ? p->idle_s + v->seconds : 0;
	if (p->idle_s >= IDLE_S)
		end(w, fmin(p->age_s + v->seconds - p->idle_s, LONGEST_S));
}

/* @v begins at the phase's age. */
static void judge(struct warmup *w, const struct warmup_window *v, double load)
{
	struct warmup_phase *p = &w->phase;

	/* A cost that is not known yet is being learned from the warm-up itself. */
	if (v->is_unknown || load < KEPT_PART * p->most_mcpu) {
		stop(w);
		return;
	}
	if (load < JUDGED_MCPU)
		return;
	p->most_mcpu = fmax(p->most_mcpu, load);
	if (v->cpu_us > WARM_BELOW * v->usual_us)
		p->warm_s = -1;
	else if (p->warm_s >= 0)
		end(w, p->warm_s);
	else
		p->warm_s = p->age_s;
}

static void follow_load(struct warmup *w, const struct warmup_window *v, double load)
{
	if (v->is_unknown)
		return;
	if (!w->has_load)
		w->load_mcpu = load;
	w->has_load = true;
	if (measures(w))
		return;
	if (load > fmax(BURST_TIMES * w->load_mcpu, JUDGED_MCPU))
		begin(w, WARMUP_BURST);
	else
		w->load_mcpu += fmin(v->seconds / LOAD_S, 1) * (load - w->load_mcpu);
}

static void close_window(struct warmup *w)
{
	struct warmup_window v = w->window;
	double load = mcpu(v.usual_us, v.seconds);

	v.is_unknown |= !between(load, 0, MCPU_SANE); /* or absurd */
	w->window = (struct warmup_window){};
	follow_load(w, &v, load);
	if (!measures(w))
		return;
	if (w->phase.kind == WARMUP_START)
		judge_start(w, &v);
	if (measures(w) && (w->phase.kind == WARMUP_BURST || w->phase.has_answered))
		judge(w, &v, load);
	if (measures(w))
		w->phase.age_s += v.seconds;
	if (w->phase.age_s > LONGEST_S)
		stop(w);
	if (!measures(w) && !v.is_unknown)
		w->load_mcpu = load;
}

void warmup_observe(struct warmup *w, const struct warmup_sample *s)
{
	struct warmup_window *v = &w->window;

	if (s->is_empty) {
		warmup_drop(w);
		w->load_mcpu = 0;
		w->is_running = false;
		w->has_load = true;
		return;
	}
	if (!(s->seconds > 0))
		return;
	/* What ran before the first look at it has not started now. */
	if (!w->is_running && w->has_load)
		begin(w, WARMUP_START);
	w->is_running = true;
	v->seconds += s->seconds;
	v->is_unknown |= !isfinite(s->cpu_us) || !isfinite(s->usual_us);
	v->cpu_us += s->cpu_us;
	v->usual_us += s->usual_us;
	v->answered |= s->answered;
	if (v->seconds >= WINDOW_S)
		close_window(w);
}

double warmup_s(const struct warmup *w)
{
	double longest = 0;

	for (int k = 0; k < WARMUP_KINDS; k++)
		longest = fmax(longest, w->learned[k].seconds);
	return longest;
}

bool warmup_is_sound(const struct warmup *w)
{
	const struct warmup_phase *p = &w->phase;
	bool good = p->kind <= WARMUP_KINDS && w->has_load <= 1 && w->is_running <= 1 &&
		    p->has_answered <= 1 && between(w->load_mcpu, 0, MCPU_SANE) &&
		    between(p->most_mcpu, 0, MCPU_SANE) && between(p->age_s, 0, LONGEST_S) &&
		    between(p->warm_s, -1, LONGEST_S) && between(p->idle_s, 0, LONGEST_S);

	for (int k = 0; k < WARMUP_KINDS; k++)
		good &= between(w->learned[k].seconds, 0, LONGEST_S) &&
			between(w->learned[k].last_s, 0, LONGEST_S);
	return good;
}
