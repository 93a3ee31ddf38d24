/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err.h - a negative errno with one line of text, filled where the cause is known. */
#ifndef FORESHAPE_ERR_H
#define FORESHAPE_ERR_H

struct err {
	int code; /* negative errno of the first err_set */
	char text[480];
};

/*
 * Sets @e (NULL is allowed) to "<formatted>: <strerror(-code)>" and returns @code,
 * a negative errno. Text that does not fit is cut at the end.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, for causes errno has no words for: the text is the formatted one alone. */
int err_say(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "<formatted>: " in front of the text in @e (NULL is allowed) and returns @code. */
int err_wrap(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
