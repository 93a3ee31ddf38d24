// SPDX-License-Identifier: GPL-2.0-or-later
/* files.c - opening policy files safely: whose they are, who may write them, which a directory
 * holds. */
#include "policies/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "policies/findings.h"

#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/* Reports what makes a file or directory less than trustworthy: an error where @strict, else a
 * warning. */
static void distrust(struct findings *f, bool strict, const char *what, const char *fix)
{
	if (strict)
		findings_error(f, 0, 0, "%s: %s", what, fix);
	else
		findings_warning(f, 0, 0, "%s, 'run' will refuse it: %s", what, fix);
}

static void check_owner(struct findings *f, const struct stat *st, bool strict)
{
	char fix[POLICY_PATH_MAX + 32];

	(void)snprintf(fix, sizeof(fix), "chown root %s", f->file);
	if (st->st_uid != 0)
		distrust(f, strict, "not owned by root", fix);
	(void)snprintf(fix, sizeof(fix), "chmod go-w %s", f->file);
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		distrust(f, strict, "writable by others than root", fix);
}

static void cannot_open(struct findings *f, int error)
{
	if (error == EACCES)
		findings_error(f, 0, 0, "cannot be read: make it readable: chmod 0644 %s", f->file);
	else
		findings_error(f, 0, 0, "cannot be read: %s", strerror(error));
}

/* Opens @path; a symbolic link is followed only where not @strict, with a warning. */
static int open_one(struct findings *f, int dir_fd, const char *path, bool strict)
{
	int fd = openat(dir_fd, path, FLAGS | O_NOFOLLOW);

	if (fd < 0 && errno == ELOOP) {
		distrust(f, strict, "a symbolic link", "put the file itself here");
		if (strict)
			return -EINVAL;
		fd = openat(dir_fd, path, FLAGS);
	}
	if (fd < 0)
		cannot_open(f, errno);
	return fd < 0 ? -EINVAL : fd;
}

static int check_file(struct findings *f, int fd, bool strict)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		cannot_open(f, errno);
		return -EINVAL;
	}
	if (!S_ISREG(st.st_mode)) {
		findings_error(f, 0, 0, "not a regular file");
		return -EINVAL;
	}
	check_owner(f, &st, strict);
	if (st.st_nlink != 1)
		distrust(f, strict, "a file with several names (hard links)",
			 "put a copy of its own here");
	return 0;
}

int policy_files_open(struct findings *f, int dir_fd, const char *path, bool strict)
{
	_cleanup_(closep) int fd = open_one(f, dir_fd, path, strict);

	if (fd < 0 || check_file(f, fd, strict) < 0 || f->n_errors > 0)
		return -EINVAL;
	return take_fd(fd);
}

int policy_files_add(struct policy_files *files, int dir_fd, const char *path, const char *name,
		     bool is_host, bool strict, struct policy_errors *errors)
{
	struct findings f = {.to = errors, .file = name};
	_cleanup_(freep) char *copy = NULL, *at = NULL;
	_cleanup_(closep) int fd = -1;
	struct policy_input *list;

	if (files->n > POLICY_MAX_FILES)
		return 0;
	fd = policy_files_open(&f, dir_fd, path, strict);
	if (fd < 0)
		return 0;
	copy = strdup(name);
	at = strdup(path);
	list = copy && at ? reallocarray(files->list, files->n + 1, sizeof(*list)) : NULL;
	if (!list)
		return -ENOMEM;
	files->list = list;
	files->list[files->n++] = (struct policy_input){.name = take_ptr(copy),
							.fd = take_fd(fd),
							.is_host = is_host,
							.strict = strict,
							.dir_fd = dir_fd,
							.at = take_ptr(at)};
	return 0;
}

static int is_policy(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > strlen(".yaml") && streq(d->d_name + n - 5, ".yaml");
}

/* "*.yml" is a slip that would leave a service without its policy. */
static int is_misnamed(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > strlen(".yml") && streq(d->d_name + n - 4, ".yml");
}

static void warn_of_misnamed(int dir_fd, const char *dir, struct policy_errors *errors)
{
	struct findings f = {.to = errors, .file = dir};
	struct dirent **names = NULL;
	int n = scandirat(dir_fd, ".", &names, is_misnamed, alphasort);

	for (int i = 0; i < n; i++) {
		findings_warning(&f, 0, 0, "'%s' is not read: its name must end in .yaml",
				 names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static int add_names(struct policy_files *files, int dir_fd, const char *dir, struct dirent **names,
		     int n, bool skip_host, bool strict, struct policy_errors *errors)
{
	int r = 0;

	for (int i = 0; i < n && r == 0; i++) {
		const char *name = names[i]->d_name;
		_cleanup_(freep) char *shown = NULL;
		bool is_host = streq(name, "host.yaml");
		const char *slash = *dir && dir[strlen(dir) - 1] != '/' ? "/" : "";

		if (is_host && skip_host)
			continue;
		if (asprintf(&shown, "%s%s%s", dir, slash, name) < 0) {
			shown = NULL;
			return -ENOMEM;
		}
		r = policy_files_add(files, dir_fd, name, shown, is_host, strict, errors);
	}
	return r;
}

/* A descriptor of directory @dir_fd that is as long open as @files. Returns it or -errno. */
static int keep_dir(struct policy_files *files, int dir_fd)
{
	int *dirs = reallocarray(files->dirs, files->n_dirs + 1, sizeof(*dirs)), fd;

	if (!dirs)
		return -ENOMEM;
	files->dirs = dirs;
	fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	return dirs[files->n_dirs++] = fd;
}

int policy_files_check_dir(struct findings *f, int dir_fd, bool strict)
{
	struct stat st;

	if (fstat(dir_fd, &st) < 0)
		cannot_open(f, errno);
	else
		check_owner(f, &st, strict);
	return f->n_errors > 0 ? -EINVAL : 0;
}

int policy_files_add_dir(struct policy_files *files, int dir_fd, const char *dir, bool skip_host,
			 bool strict, struct policy_errors *errors)
{
	struct findings f = {.to = errors, .file = dir};
	struct dirent **names = NULL;
	int n, r, kept = keep_dir(files, dir_fd);

	if (kept == -ENOMEM)
		return kept;
	if (kept < 0) {
		cannot_open(&f, -kept);
		return 0;
	}
	(void)policy_files_check_dir(&f, dir_fd, strict);
	n = scandirat(dir_fd, ".", &names, is_policy, alphasort);
	if (n < 0 && errno == ENOMEM)
		return -ENOMEM;
	if (n < 0) {
		findings_error(&f, 0, 0,
			       errno == EACCES ? "cannot be listed: make it readable: chmod 0755"
					       : "cannot be listed");
		return 0;
	}
	r = add_names(files, kept, dir, names, n, skip_host, strict, errors);
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
	warn_of_misnamed(dir_fd, dir, errors);
	return r;
}

void policy_files_free(struct policy_files *files)
{
	for (size_t i = 0; i < files->n; i++) {
		free((char *)files->list[i].name);
		free((char *)files->list[i].at);
		close(files->list[i].fd);
	}
	free(files->list);
	for (size_t i = 0; i < files->n_dirs; i++)
		close(files->dirs[i]);
	free(files->dirs);
	*files = (struct policy_files){};
}

static int add_all(struct policy_files *files, int dir_fd, const char *dir, const char *host_file,
		   bool strict, struct policy_errors *errors)
{
	bool has_host = host_file && faccessat(AT_FDCWD, host_file, F_OK, 0) == 0;
	int r = 0;

	if (has_host)
		r = policy_files_add(files, AT_FDCWD, host_file, host_file, true, strict, errors);
	if (r == 0 && dir_fd >= 0)
		r = policy_files_add_dir(files, dir_fd, dir, has_host, strict, errors);
	return r;
}

int policy_load_dir(int dir_fd, const char *dir, const char *host_file, bool strict,
		    bool calendars_later, uint64_t capacity_mcpu, uint64_t memory_bytes,
		    struct policy_set **ret, struct policy_errors *errors)
{
	_cleanup_(policy_files_free) struct policy_files files = {};
	int r = add_all(&files, dir_fd, dir, host_file, strict, errors);

	if (r < 0)
		return r;
	for (size_t i = 0; i < files.n; i++)
		files.list[i].calendars_later = calendars_later;
	return policy_load(files.list, files.n, capacity_mcpu, memory_bytes, ret, errors);
}
