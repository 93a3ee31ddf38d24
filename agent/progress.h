/* SPDX-License-Identifier: GPL-2.0-or-later */
/* progress.h - a bar that says how far a long computation is. */
#ifndef FORESHAPE_PROGRESS_H
#define FORESHAPE_PROGRESS_H

#include <stddef.h>

typedef void progress_t(size_t step, size_t steps);

/* One that draws on standard error and is gone at the last step; NULL unless that is a terminal. */
progress_t *progress_on_terminal(void);

#endif
