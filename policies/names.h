/* SPDX-License-Identifier: GPL-2.0-or-later */
/* names.h - which names, units, cgroups, interfaces and routes a policy may use. */
#ifndef FORESHAPE_NAMES_H
#define FORESHAPE_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Each returns true, or false with what is wrong, a suggestion included, in @why of @size bytes. */
bool names_fits_service(const char *text, char *why, size_t size);
bool names_fits_unit(const char *text, char *why, size_t size);
bool names_fits_cgroup(const char *text, char *why, size_t size);
bool names_fits_interface(const char *text, char *why, size_t size);
bool names_fits_calendar(const char *text, char *why, size_t size);
bool names_fits_path(const char *text, char *why, size_t size);

/* "GET /a/{id}", "/pkg.Service/Method" (any method): method, then segments, '*' only as the last.
 */
bool names_fits_route(const char *text, char *why, size_t size);

/* True when both patterns, as written after the method, match the same paths. */
bool names_same_pattern(const char *a, const char *b);

#endif
