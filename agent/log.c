// SPDX-License-Identifier: GPL-2.0-or-later
/* log.c - one line a thing that happened, to stderr. */
#include "agent/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/base/util.h"

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	if (getenv("JOURNAL_STREAM"))
		(void)fprintf(stderr, "<%d>%s\n", level, text);
	else
		(void)fprintf(stderr, "foreshape: %s\n", text);
}
