/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libical.h - libical, loaded when the first iCalendar file is read: with what it needs itself it
 * takes 6 MB, which an agent without such files should not pay.
 */
#ifndef FORESHAPE_LIBICAL_H
#define FORESHAPE_LIBICAL_H

#include <libical/ical.h>

#include "agent/base/err.h"

/* clang-format off */
#define FUNCTIONS(_)                                                                                                 \
	_(icalerror_set_errors_are_fatal) _(icalparser_parse_string) _(icalcomponent_free)                           \
	_(icalcomponent_isa) _(icalcomponent_get_first_component) _(icalcomponent_get_next_component)                \
	_(icalcomponent_get_first_property) _(icalcomponent_get_next_property) _(icalcomponent_get_dtstart)          \
	_(icalcomponent_get_dtend) _(icalcomponent_get_summary) _(icalcomponent_get_status)                          \
	_(icalcomponent_get_uid) _(icalcomponent_get_recurrenceid) _(icalproperty_get_rrule)                         \
	_(icalproperty_get_rdate) _(icalproperty_get_xlicerror) _(icalproperty_get_parameter_as_string)              \
	_(icalproperty_recurrence_is_excluded) _(icalrecur_iterator_new) _(icalrecur_iterator_next)                  \
	_(icalrecur_iterator_free) _(icaltime_as_timet_with_zone) _(icaltime_as_timet) _(icaltime_is_null_time)      \
	_(icaltime_adjust) _(icaltime_compare) _(icaltimezone_free_builtin_timezones) _(icalmemory_free_ring)
/* clang-format on */

#define MEMBER(name) __typeof__(name) *name;

/* Its functions, under their own names. */
struct libical {
	void *handle;
	FUNCTIONS(MEMBER)
};

/* Returns 0 and *ret (libical_close), or -ELIBACC with what to install. */
int libical_open(struct libical *ret, struct err *e);

/* Frees what it keeps of the files read; zeroed: does nothing. */
void libical_close(struct libical *lib);

#endif
