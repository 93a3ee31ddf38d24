// SPDX-License-Identifier: GPL-2.0-or-later
/* series_anomaly.c - a series looks at each value against its forecast of it. */
#include <math.h>

#include "agent/base/util.h"
#include "forecast/series_state.h"

/* Where in the day a step lies that is counted from 0; steps of a day and more have no hours. */
static void find_hour(const struct series *s, uint64_t step, struct anomaly_step *ret)
{
	uint64_t per_day = S_PER_DAY * NS_PER_S / s->conf.step_ns;

	ret->day = NAN;
	if (per_day < 2)
		return;
	ret->day = (double)(step % per_day) / (double)per_day;
	ret->per_day = (double)per_day;
	ret->days = step / per_day;
}

bool series_look(struct series *s, double value)
{
	const struct past *past = series_past(s);
	const struct waiting_step *w = series_slot(s, s->buckets[0].first_slot);
	struct anomaly_step in = {.value = value, .offset = past->offset, .median_log = NAN};
	struct series_anomaly *ret = &s->outer.found;
	struct anomaly_found f;

	if (waiting_is_due(w, past->steps + 1))
		in.median_log = w->x;
	find_hour(s, past->steps, &in);
	f = anomaly_observe(&s->outer.anomaly, &in);
	ret->score = f.severity;
	ret->p = f.p;
	if (f.worse)
		ret->severity = fmax(ret->severity, f.severity);
	if (f.kind == ANOMALY_NONE)
		return f.strange;
	ret->kind = f.kind;
	ret->step = past->steps + 1;
	ret->severity = f.severity;
	ret->value = value;
	ret->expected = past_from_log(past, in.median_log);
	ret->count++;
	return f.strange;
}

void series_anomaly(const struct series *s, struct series_anomaly *ret)
{
	*ret = s->outer.found;
}
