/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mode.h - observe or enforce, for good or for a while, and frozen or not: what people asked for.
 */
#ifndef FORESHAPE_MODE_H
#define FORESHAPE_MODE_H

#include <stdbool.h>
#include <stdint.h>

#define MODE_TEXT_MAX 64 /* as ORDER_NAME_MAX */

struct mode {
	bool enforce;
	int64_t until_real_ns;        /* then the other one is back; 0: for good */
	int64_t frozen_until_real_ns; /* 0: not frozen */
};

/* Whether the mode that lasts is to enforce: where there is an end, the one it goes back to. */
bool mode_lasting(const struct mode *m);

/*
 * Takes @enforce until @until_real_ns, 0: for good. Several of these in a row go back to what
 * lasted before the first; what lasts anyway has no end, and @m->until_real_ns is 0 then.
 */
void mode_ask(struct mode *m, bool enforce, int64_t until_real_ns);

/* "enforce/UNTIL/FROZEN", times as in the struct: what a worker leaves for the next one. */
void mode_format(const struct mode *m, char buf[MODE_TEXT_MAX]);

/* Reads that, or the mode alone. Returns 0, or -EINVAL and leaves @ret as it is. */
int mode_parse(const char *text, struct mode *ret);

#endif
