/* SPDX-License-Identifier: GPL-2.0-or-later */
/* child.h - processes that read a file for another one, and outlive nobody. */
#ifndef FORESHAPE_CHILD_H
#define FORESHAPE_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * First of all in a process just forked by a thread of @parent: it is killed with that thread,
 * takes signals as usual, has the standard descriptors and the @n of @keep alone (their new numbers
 * are put there), no more than 256 MiB of memory of its own and @seconds of CPU. Ends the process
 * where that fails.
 */
void child_alone(pid_t parent, int *keep, size_t n, unsigned int seconds);

/* Writes all of @from, and whether it could. */
bool child_write(int fd, const void *from, size_t size);

#endif
