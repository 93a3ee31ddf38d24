// SPDX-License-Identifier: GPL-2.0-or-later
/* progress.c - a bar of signs on standard error. */
#include "agent/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "agent/base/util.h"

#define WIDTH 40

static const char full[] = "########################################";
static const char none[] = "                                        ";
_Static_assert(sizeof(full) == WIDTH + 1 && sizeof(none) == WIDTH + 1, "a sign a column");

static void draw(size_t step, size_t steps)
{
	size_t part = MIN(step, steps) * WIDTH / MAX(steps, 1);

	if (step >= steps)
		fprintf(stderr, "\r%*s\r", WIDTH + 8, "");
	else
		fprintf(stderr, "\r[%s%s] %3zu %%", full + WIDTH - part, none + part,
			100 * step / steps);
	fflush(stderr);
}

progress_t *progress_on_terminal(void)
{
	return isatty(STDERR_FILENO) ? draw : NULL;
}
