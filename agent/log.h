/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.h - one line a thing that happened, to stderr, as journald likes it. */
#ifndef FORESHAPE_LOG_H
#define FORESHAPE_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6 };

/* Writes "<level>text" under journald, "foreshape: text" elsewhere. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)

#endif
