// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store_prepare.c - the history's three files with their owner, before privileges are dropped. The
 * file may have been written by a less trusted user: SQLite reads it in a child under that user
 * alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/store.h"
#include "agent/store_db.h"
#include "agent/store_schema.h"

#define FILE_MODE      0640
#define DIRECTORY_MODE 0755
#define OWN_DIRECTORY  "/var/lib/foreshape" /* nobody else's by its name */
#define CHECK_S        5 /* longest time the check may take; a larger file is taken as it is */

/* Exit status of the child. */
enum { CHILD_OK, CHILD_DAMAGED, CHILD_FAILED };

/*
 * Gives the directory install made to that user, who could not set a damaged file aside in it
 * otherwise. Any other one that is there, or one somebody has changed, is left alone.
 */
static int adopt_directory(const char *dir, uid_t uid, gid_t gid, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (!streq(dir, OWN_DIRECTORY) || geteuid() != 0)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_uid != 0 ||
	    (st.st_mode & 07777) != DIRECTORY_MODE)
		return 0;
	return fchown(fd, uid, gid) < 0 ? err_set(e, -errno, "give %s to uid %u", dir, uid) : 0;
}

/* Makes the last component of the directory of @path, for that user to use. */
static int make_directory(const char *path, uid_t uid, gid_t gid, struct err *e)
{
	char copy[4096];
	const char *dir;

	if (!copy_str(copy, sizeof(copy), path))
		return err_set(e, -ENAMETOOLONG, "%s", path);
	dir = dirname(copy);
	if (mkdir(dir, DIRECTORY_MODE) < 0)
		return errno == EEXIST ? adopt_directory(dir, uid, gid, e)
				       : err_set(e, -errno, "make directory %s", dir);
	if (geteuid() == 0 && lchown(dir, uid, gid) < 0)
		return err_set(e, -errno, "give %s to uid %u", dir, uid);
	return 0;
}

static int make_file(const char *path, const char *suffix, uid_t uid, gid_t gid, struct err *e)
{
	_cleanup_(closep) int fd = -1;
	char name[4096];
	struct stat st;

	if ((size_t)snprintf(name, sizeof(name), "%s%s", path, suffix) >= sizeof(name))
		return err_set(e, -ENAMETOOLONG, "%s%s", path, suffix);
	fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, -errno, "open %s", name);
	/* A hard link could give another file away. */
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return err_say(e, -EPERM, "%s is not a file with one name", name);
	if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0)
		return err_set(e, -errno, "give %s to uid %u", name, uid);
	if (fchmod(fd, FILE_MODE) < 0)
		return err_set(e, -errno, "set the mode of %s", name);
	return 0;
}

static int make_files(const char *path, uid_t uid, gid_t gid, struct err *e)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(suffixes); i++)
		r = make_file(path, suffixes[i], uid, gid, e);
	return r;
}

static int is_late(void *until)
{
	return time(NULL) > *(time_t *)until;
}

/* True unless SQLite finds the file damaged: also where its header asks for a later SQLite to write
 * it, which no foreshape wrote. */
static bool is_sound(const char *path)
{
	time_t until = time(NULL) + CHECK_S;
	sqlite3_stmt *q = NULL;
	sqlite3 *db = NULL;
	int keep_wal = 1, r;
	bool sound;

	r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
	if (r == SQLITE_OK) {
		(void)sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
		sqlite3_progress_handler(db, 10000, is_late, &until);
		r = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &q, NULL);
	}
	if (r == SQLITE_OK)
		r = sqlite3_step(q);
	sound = r == SQLITE_ROW ? streq((const char *)sqlite3_column_text(q, 0), "ok")
				: store_sql_errno(r) != -EUCLEAN;
	if (db && access(path, W_OK) == 0 && sqlite3_db_readonly(db, "main") == 1)
		sound = false;
	sqlite3_finalize(q);
	sqlite3_close(db);
	return sound;
}

/* In the child: as that user, check and bring the schema up. The text of a failure goes to @out. */
static int child(const char *path, uid_t uid, gid_t gid, int out)
{
	struct store_db *db = NULL;
	struct err e = {};
	int r;

	if (geteuid() == 0 && uid != 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 ||
	     setresuid(uid, uid, uid) < 0))
		return CHILD_FAILED;
	if (!is_sound(path))
		return CHILD_DAMAGED;
	r = store_db_open(path, NULL, &db, &e);
	store_db_close(db);
	if (r == 0)
		return CHILD_OK;
	(void)!write(out, e.text, strlen(e.text));
	return r == -EUCLEAN ? CHILD_DAMAGED : CHILD_FAILED;
}

/* Runs child(); a death by signal is damage too. Returns 0, -EUCLEAN or -EIO with its text. */
static int check_as_user(const char *path, uid_t uid, gid_t gid, struct err *e)
{
	char text[400] = "";
	int status, fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, -errno, "check %s", path);
	pid = fork();
	if (pid == 0)
		_exit(child(path, uid, gid, fds[1]));
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return err_set(e, -EAGAIN, "check %s", path);
	}
	(void)!read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHILD_OK)
		return 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) == CHILD_DAMAGED)
		return err_say(e, -EUCLEAN, "%s is damaged", path);
	return err_say(e, -EIO, "%s", *text ? text : "check of the history file failed");
}

int store_prepare(const char *path, uid_t uid, gid_t gid, struct err *e)
{
	int r = make_directory(path, uid, gid, e);

	if (r == 0)
		r = make_files(path, uid, gid, e);
	if (r == 0)
		r = check_as_user(path, uid, gid, e);
	if (r != -EUCLEAN)
		return r;
	r = store_db_set_aside(path, e);
	if (r == 0)
		r = make_files(path, uid, gid, e);
	return r == 0 ? check_as_user(path, uid, gid, e) : r;
}
