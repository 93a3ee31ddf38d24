// SPDX-License-Identifier: GPL-2.0-or-later
/* reason.c - the words for reasons and refusals, from the two lists of reason.h. */
#include "shaping/reason.h"

/* clang-format off */
const struct reason_row reason_rows[REASON_COUNT] = {
#define X(id, name, text) { name, text },
	REASONS(X)
#undef X
};

const struct reason_row refusal_rows[REFUSAL_COUNT] = {
#define X(id, name, text) { name, text },
	REFUSALS(X)
#undef X
};
/* clang-format on */
