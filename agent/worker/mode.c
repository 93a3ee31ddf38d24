// SPDX-License-Identifier: GPL-2.0-or-later
/* mode.c - observe or enforce, for good or for a while. */
#include "agent/worker/mode.h"

bool mode_lasting(const struct mode *m)
{
	return m->until_real_ns ? !m->enforce : m->enforce;
}

void mode_ask(struct mode *m, bool enforce, int64_t until_real_ns)
{
	m->until_real_ns = enforce == mode_lasting(m) ? 0 : until_real_ns;
	m->enforce = enforce;
}
