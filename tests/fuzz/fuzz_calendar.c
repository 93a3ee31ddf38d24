// SPDX-License-Identifier: GPL-2.0-or-later
/* fuzz_calendar.c - libFuzzer: any bytes as a calendar are events in order or an error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/util.h"
#include "policies/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool fact)
{
	if (!fact)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct calendar_conf conf = {0, (int64_t)(2000000000 * NS_PER_S), true};
	struct calendar c = {};
	struct err e = {};
	char *text = malloc(size + 1);
	int r;

	demand(text);
	memcpy(text, data, size);
	text[size] = '\0';
	r = calendar_parse("f", text, size, &conf, &c, &e);
	demand(r == 0 || (c.n == 0 && !c.list && strncmp(e.text, "f:", 2) == 0));
	for (size_t i = 0; i < c.n; i++) {
		const struct calendar_event *v = &c.list[i];

		demand(*v->name && v->ends_real_ns > v->starts_real_ns && v->ends_real_ns > 0);
		demand(i == 0 || v->starts_real_ns >= v[-1].starts_real_ns);
		demand(isnan(v->multiplier) || (v->multiplier >= 0 && v->multiplier <= 1000));
	}
	calendar_free(&c);
	free(text);
	return 0;
}
