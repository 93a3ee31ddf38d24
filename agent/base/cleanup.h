/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cleanup.h - release by attribute, and handing over what an attribute would release. */
#ifndef FORESHAPE_CLEANUP_H
#define FORESHAPE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Yields the pointer in lvalue @p and leaves NULL behind. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) *_pp = &(p);                                                         \
		__typeof__(p) _taken = *_pp;                                                       \
		*_pp = NULL;                                                                       \
		_taken;                                                                            \
	})

/* Yields the descriptor in lvalue @fd and leaves -1 behind. */
#define take_fd(fd)                                                                                \
	({                                                                                         \
		int *_pf = &(fd);                                                                  \
		int _taken = *_pf;                                                                 \
		*_pf = -1;                                                                         \
		_taken;                                                                            \
	})

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#endif
