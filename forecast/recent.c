// SPDX-License-Identifier: GPL-2.0-or-later
/* recent.c - the values a series still remembers, for those who draw it. */
#include "agent/base/util.h"
#include "forecast/series_state.h"

#define RESOLUTION (PAST_STEP / 2) /* of the ring, in offsets of its log scale: less is 0 */

size_t series_past_values(const struct series *s, double *ret, size_t n)
{
	const struct past *past = series_past(s);

	n = MIN(n, MIN(past->steps, past->size));
	for (size_t i = 0; i < n; i++) {
		double v = past_from_log(past, past_at(past, n - 1 - i));

		ret[i] = v < RESOLUTION * past->offset ? 0 : v;
	}
	return n;
}
