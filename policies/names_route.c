// SPDX-License-Identifier: GPL-2.0-or-later
/* names_route.c - the syntax of routes: method, literal segments, {name}, a final '*'. */
#include "policies/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "policies/nearest.h"
#include "policies/policy.h"

static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
				      "CONNECT", "OPTIONS", "TRACE", "PATCH", NULL};

static bool fits_method(const char *method, char *why, size_t size)
{
	const char *near;

	for (size_t i = 0; methods[i]; i++) {
		if (streq(methods[i], method))
			return true;
	}
	near = streq(method, "ANY") || streq(method, "*") ? NULL : nearest_name(method, methods);
	if (near)
		(void)snprintf(why, size, "unknown method '%s', did you mean '%s'?", method, near);
	else
		(void)snprintf(why, size,
			       "unknown method '%s': one of GET, HEAD, POST, PUT, DELETE, CONNECT, "
			       "OPTIONS, TRACE, PATCH, or none for any",
			       method);
	return false;
}

/* What is wrong with the segment of @n bytes at @s; NULL: nothing. */
static const char *wrong_segment(const char *s, size_t n, bool is_last)
{
	if (memchr(s, '*', n))
		return n > 1     ? "'*' must be a whole segment"
		       : is_last ? NULL
				 : "'*' may only be the last segment";
	if (!memchr(s, '{', n) && !memchr(s, '}', n))
		return NULL;
	if (n < 3 || s[0] != '{' || s[n - 1] != '}')
		return "'{name}' must be a whole segment";
	for (size_t i = 1; i < n - 1; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' && s[i] != '-')
			return "a '{name}' has letters, digits, '_' and '-' only";
	}
	return NULL;
}

static const char *wrong_path(const char *path)
{
	if (*path != '/')
		return "the path must start with '/'";
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
			return "the path must be printable ASCII without blanks";
	}
	if (strpbrk(path, "?#"))
		return "query strings are ignored: leave '?' and what follows out";
	for (const char *p = path; *p == '/';) {
		size_t n = strcspn(p + 1, "/");
		bool is_last = p[1 + n] == '\0';
		const char *wrong = wrong_segment(p + 1, n, is_last);

		if (n == 0 && !is_last)
			return "the path has an empty segment";
		if (wrong)
			return wrong;
		p += 1 + n;
	}
	return NULL;
}

bool names_fits_route(const char *text, char *why, size_t size)
{
	const char *path = strchr(text, ' '), *wrong;
	char method[16];

	if (*text == '/') {
		path = text;
	} else if (!path) {
		(void)snprintf(why, size, "'%s' is no route, write it like 'GET /%s'", text, text);
		return false;
	} else {
		(void)snprintf(method, sizeof(method), "%.*s", (int)(path - text), text);
		if (!fits_method(method, why, size))
			return false;
		path++;
	}
	wrong = wrong_path(path);
	if (wrong)
		(void)snprintf(why, size, "'%s': %s", text, wrong);
	return !wrong;
}

bool names_same_pattern(const char *a, const char *b)
{
	while (*a && *b) {
		if (*a == '{' && *b == '{') {
			a += strcspn(a, "/");
			b += strcspn(b, "/");
		} else if (*a++ != *b++) {
			return false;
		}
	}
	return *a == *b;
}
