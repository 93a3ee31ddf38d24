// SPDX-License-Identifier: GPL-2.0-or-later
/* tuning.c - constants of a series that may be fitted to it: what is usual, and within what. */
#include "forecast/tuning.h"

#define ROW(field) #field, offsetof(struct series_tuning, field)

/* clang-format off */
const struct series_tunable series_tunables[SERIES_TUNABLES] = {
	{ ROW(learning), 0.05,   0.1,    0.6  },
	{ ROW(forget),   0.0001, 0.002,  0.02 },
	{ ROW(season),   0.05,   0.15,   0.6  },
	{ ROW(level),    0.1,    1,      5    },
};
/* clang-format on */

void series_tuning_init(struct series_tuning *t)
{
	for (size_t i = 0; i < SERIES_TUNABLES; i++)
		*series_tunable_of(t, i) = (float)series_tunables[i].usual;
}
