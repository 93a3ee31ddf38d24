// SPDX-License-Identifier: GPL-2.0-or-later
/* libical.c - loads libical. */
#include "policies/libical.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "agent/base/util.h"

#define LIBRARY   "libical.so.3"
#define ROW(name) {#name, offsetof(struct libical, name)},

static const struct {
	const char *name;
	size_t at;
} functions[] = {FUNCTIONS(ROW)};

int libical_open(struct libical *ret, struct err *e)
{
	/* It stays once it is there: each time it came anew it would take one more of the process'
	 * 1,024 thread keys (3.0.16). */
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

	if (!handle)
		return err_say(e, -ELIBACC,
			       "iCalendar files need libical, which is not here: apt-get install "
			       "libical3");
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *function = dlsym(handle, functions[i].name);

		if (!function) {
			(void)dlclose(handle);
			return err_say(e, -ELIBACC, "%s has no %s", LIBRARY, functions[i].name);
		}
		memcpy((char *)ret + functions[i].at, &function, sizeof(function));
	}
	ret->handle = handle;
	ret->icalerror_set_errors_are_fatal(0);
	return 0;
}

void libical_close(struct libical *lib)
{
	if (!lib->handle)
		return;
	lib->icaltimezone_free_builtin_timezones();
	lib->icalmemory_free_ring();
	(void)dlclose(lib->handle);
	*lib = (struct libical){};
}
