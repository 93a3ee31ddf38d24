// SPDX-License-Identifier: GPL-2.0-or-later
/* mode.c - observe or enforce, for good or for a while, and as text for the next worker. */
#include "agent/worker/mode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "agent/base/parse.h"
#include "agent/base/util.h"

static const char *const names[] = {"observe", "enforce"};

bool mode_lasting(const struct mode *m)
{
	return m->until_real_ns ? !m->enforce : m->enforce;
}

void mode_ask(struct mode *m, bool enforce, int64_t until_real_ns)
{
	m->until_real_ns = enforce == mode_lasting(m) ? 0 : until_real_ns;
	m->enforce = enforce;
}

void mode_format(const struct mode *m, char buf[MODE_TEXT_MAX])
{
	(void)snprintf(buf, MODE_TEXT_MAX, "%s/%" PRId64 "/%" PRId64, names[m->enforce],
		       m->until_real_ns, m->frozen_until_real_ns);
}

/* Cuts "/NUMBER" off the end of @text. */
static int take_time(char *text, int64_t *ret)
{
	char *slash = strrchr(text, '/');
	uint64_t ns;

	if (!slash || parse_u64(slash + 1, &ns) < 0 || ns > INT64_MAX)
		return -EINVAL;
	*slash = '\0';
	*ret = (int64_t)ns;
	return 0;
}

int mode_parse(const char *text, struct mode *ret)
{
	char word[MODE_TEXT_MAX];
	struct mode m = {};

	if (!copy_str(word, sizeof(word), text))
		return -EINVAL;
	if (strchr(word, '/') &&
	    (take_time(word, &m.frozen_until_real_ns) < 0 || take_time(word, &m.until_real_ns) < 0))
		return -EINVAL;
	m.enforce = streq(word, names[true]);
	if (!m.enforce && !streq(word, names[false]))
		return -EINVAL;
	*ret = m;
	return 0;
}
