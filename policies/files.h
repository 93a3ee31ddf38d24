/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.h - the open policy files of a call, after checking whose they are. */
#ifndef FORESHAPE_FILES_H
#define FORESHAPE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "policies/policy.h"

struct findings;

struct policy_files {
	struct policy_input *list; /* owned, with its names and files */
	size_t n;
	int *dirs; /* owned, what dir_fd of inputs may be */
	size_t n_dirs;
};

/*
 * Opens @path below @dir_fd (AT_FDCWD for a path), which stays open, as @name. A file that is not
 * root's alone, a symbolic or hard link, is an error where @strict, else a warning; one that cannot
 * be read always an error. An erroneous file is left out. Returns 0, also then, or -ENOMEM.
 */
int policy_files_add(struct policy_files *files, int dir_fd, const char *path, const char *name,
		     bool is_host, bool strict, struct policy_errors *errors);

/*
 * Opens @path below @dir_fd to read, checked as policy_files_add does. Returns the descriptor, or
 * -EINVAL with an error among the findings.
 */
int policy_files_open(struct findings *f, int dir_fd, const char *path, bool strict);

/*
 * Checks whose directory @dir_fd is and who may write it, as policy_files_add_dir does. Returns 0,
 * or -EINVAL with an error among the findings.
 */
int policy_files_check_dir(struct findings *f, int dir_fd, bool strict);

/* As policy_files_add for each "*.yaml" of @dir_fd by name; "host.yaml" unless @skip_host. */
int policy_files_add_dir(struct policy_files *files, int dir_fd, const char *dir, bool skip_host,
			 bool strict, struct policy_errors *errors);

void policy_files_free(struct policy_files *files);

#endif
