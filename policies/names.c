// SPDX-License-Identifier: GPL-2.0-or-later
/* names.c - the rules for names, units, cgroups, interfaces and paths; what is never shaped. */
#include "policies/names.h"

#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "policies/policy.h"

/* What is never shaped (a limit on it, or on what holds it, can lock everyone out), by unit name.
 */
/* clang-format off */
static const struct {
	const char *unit, *why;
} never[] = {
	{ "init.scope", "it holds init" },
	{ "ssh.service", "it holds sshd" },
	{ "ssh@*.service", "it holds sshd" },
	{ "sshd.service", "it holds sshd" },
	{ "sshd@*.service", "it holds sshd" },
	{ "dbus.service", "it holds dbus" },
	{ "dbus-broker.service", "it holds dbus" },
	{ "systemd-*.service", "it is part of systemd" },
	{ "foreshape*.service", "it holds foreshape itself" },
	{ "system.slice", "it holds sshd, journald and dbus" },
	{ "-.slice", "it holds the whole host" },
};
/* clang-format on */

static const char *refuse(const char *unit)
{
	for (size_t i = 0; i < ARRAY_SIZE(never); i++) {
		if (fnmatch(never[i].unit, unit, 0) == 0)
			return never[i].why;
	}
	return NULL;
}

const char *policy_unit_refused(const char *unit)
{
	return refuse(unit);
}

/* system.slice is refused as the last part only: the services in it are what people shape. */
const char *policy_cgroup_refused(const char *cgroup)
{
	char part[POLICY_PATH_MAX];
	const char *p = cgroup, *why;

	if (strspn(cgroup, "/") == strlen(cgroup))
		return "it holds the whole host";
	while (*p) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 0)
			break;
		(void)snprintf(part, sizeof(part), "%.*s", (int)MIN(n, sizeof(part) - 1), p);
		p += n;
		why = refuse(part);
		if (why && (!streq(part, "system.slice") || p[strspn(p, "/")] == '\0'))
			return why;
	}
	return NULL;
}

/* True when @text consists of letters, digits and @more. */
static bool consists_of(const char *text, const char *more)
{
	for (; *text; text++) {
		if (!isalnum((unsigned char)*text) && !strchr(more, *text))
			return false;
	}
	return true;
}

bool names_fits_service(const char *text, char *why, size_t size)
{
	if (isalnum((unsigned char)*text) && consists_of(text, "._-"))
		return true;
	(void)snprintf(
		why, size,
		"'%s' is no name: letters, digits, '.', '_' and '-', a letter or digit first",
		text);
	return false;
}

bool names_fits_calendar(const char *text, char *why, size_t size)
{
	const char *dot = strrchr(text, '.');

	if (isalnum((unsigned char)*text) && consists_of(text, "._-") && dot &&
	    (streq(dot, ".csv") || streq(dot, ".ics")))
		return true;
	(void)snprintf(why, size,
		       "'%s' is no calendar: the name, without a path, of a .csv or .ics file in "
		       "the policy's directory",
		       text);
	return false;
}

static bool has_unit_suffix(const char *text)
{
	const char *dot = strrchr(text, '.');

	return dot && dot != text &&
	       (streq(dot, ".service") || streq(dot, ".scope") || streq(dot, ".slice"));
}

bool names_fits_unit(const char *text, char *why, size_t size)
{
	const char *because;

	if (!*text || !consists_of(text, ":_.\\@-")) {
		(void)snprintf(why, size, "'%s' is no unit name, like 'checkout.service'", text);
		return false;
	}
	if (!has_unit_suffix(text)) {
		(void)snprintf(why, size,
			       "'%s' is no service, scope or slice, did you mean '%.*s.service'?",
			       text, (int)strcspn(text, "."), text);
		return false;
	}
	if (strstr(text, "@.")) {
		(void)snprintf(why, size, "'%s' is a template: name an instance, like '%.*s1%s'",
			       text, (int)(strstr(text, "@.") - text + 1), text,
			       strstr(text, "@.") + 1);
		return false;
	}
	because = refuse(text);
	if (because)
		(void)snprintf(why, size, "'%s' is never shaped: %s", text, because);
	return !because;
}

/* The first thing wrong with the form of a cgroup's path; NULL: nothing. */
static const char *misform(const char *text)
{
	if (*text != '/')
		return "must start with '/'";
	if (strstr(text, "//"))
		return "has an empty part";
	if (text[1] && text[strlen(text) - 1] == '/')
		return "ends with '/'";
	for (const char *p = text; (p = strchr(p, '/')); p++) {
		size_t n = strcspn(p + 1, "/");

		if ((n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
			return "must not contain '.' or '..'";
	}
	return NULL;
}

bool names_fits_cgroup(const char *text, char *why, size_t size)
{
	const char *wrong = misform(text), *because;

	if (wrong) {
		bool bare = *text != '/' && *text && *text != '.';

		(void)snprintf(why, size, bare ? "'%s' %s, did you mean '/%s'?" : "'%s' %s", text,
			       wrong, text);
		return false;
	}
	if (strncmp(text, "/sys/fs/cgroup", 14) == 0) {
		(void)snprintf(why, size,
			       "'%s' is a path of the file system: write what follows "
			       "/sys/fs/cgroup (and the hierarchy's name)",
			       text);
		return false;
	}
	because = policy_cgroup_refused(text);
	if (because)
		(void)snprintf(why, size, "'%s' is never shaped: %s", text, because);
	return !because;
}

bool names_fits_interface(const char *text, char *why, size_t size)
{
	if (*text && !strpbrk(text, "/: \t") && !streq(text, ".") && !streq(text, ".."))
		return true;
	(void)snprintf(why, size, "'%s' is no name of an interface, like 'eth0'", text);
	return false;
}

bool names_fits_path(const char *text, char *why, size_t size)
{
	if (*text == '/')
		return true;
	(void)snprintf(why, size, "'%s' must be an absolute path", text);
	return false;
}
