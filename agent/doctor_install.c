// SPDX-License-Identifier: GPL-2.0-or-later
/* doctor_install.c - the agent's own places: runtime directory, policies, history, service manager.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "agent/base/util.h"
#include "agent/client.h"
#include "agent/doctor.h"
#include "agent/store_read.h"
#include "policies/policy.h"

#define WORKER_USER    "foreshape"
#define FREE_BYTES_MIN (512 * MIB)

/* The directory @path, or the nearest one above it that exists, into @ret. */
static void existing_parent(const char *path, char *ret, size_t size)
{
	(void)copy_str(ret, size, path);
	while (access(ret, F_OK) < 0) {
		char *slash = strrchr(ret, '/');

		if (!slash || slash == ret) {
			(void)copy_str(ret, size, slash ? "/" : ".");
			return;
		}
		*slash = '\0';
	}
}

static void check_runtime_dir(const struct doctor *d, struct doctor_finding *ret)
{
	char parent[300];
	struct stat st;

	existing_parent(d->runtime_dir, parent, sizeof(parent));
	if (stat(parent, &st) < 0 || access(parent, W_OK) < 0)
		doctor_say(ret, DOCTOR_BROKEN, "%s cannot be written: %s", parent, strerror(errno));
	else if (!streq(parent, d->runtime_dir))
		doctor_say(ret, DOCTOR_OK, "%s is made by the first run", d->runtime_dir);
	else if (!S_ISDIR(st.st_mode) || st.st_uid != 0 || (st.st_mode & 0022))
		doctor_say(ret, DOCTOR_BROKEN, "%s is not root's own directory", d->runtime_dir);
	else
		doctor_say(ret, DOCTOR_OK, "%s", d->runtime_dir);
}

/* Who holds the flock of file @path, read from /proc/locks; 0: nobody. */
static int lock_holder(const char *path)
{
	_cleanup_(fclosep) FILE *f = fopen("/proc/locks", "re");
	char line[200], wanted[64];
	struct stat st;
	int pid;

	if (!f || stat(path, &st) < 0)
		return 0;
	(void)snprintf(wanted, sizeof(wanted), " %02x:%02x:%" PRIu64 " ", major(st.st_dev),
		       minor(st.st_dev), (uint64_t)st.st_ino);
	while (fgets(line, sizeof(line), f)) {
		const char *kind = strstr(line, "FLOCK");

		if (!kind || !strstr(line, wanted))
			continue;
		for (pid = 0, kind = strstr(kind, "WRITE"); kind && *kind; kind++) {
			if (*kind < '0' || *kind > '9')
				continue;
			for (; *kind >= '0' && *kind <= '9'; kind++)
				pid = pid * 10 + (*kind - '0');
			return pid;
		}
	}
	return 0;
}

static void check_agent(const struct doctor *d, struct doctor_finding *ret)
{
	json_auto_t *status = NULL;
	char lock[300];
	struct err e = {};
	int r, pid;

	r = client_get("/v1/status", &status, &e);
	(void)snprintf(lock, sizeof(lock), "%s/lock", d->runtime_dir);
	pid = lock_holder(lock);
	if (r == 0)
		doctor_say(ret,
			   json_array_size(json_object_get(status, "degraded")) ? DOCTOR_WARNING
										: DOCTOR_OK,
			   "answers, %zu things degraded",
			   json_array_size(json_object_get(status, "degraded")));
	else if (r == -EACCES)
		doctor_say(ret, DOCTOR_WARNING, "%s", e.text);
	else if (pid)
		doctor_say(ret, DOCTOR_BROKEN, "process %d holds the lock but does not answer",
			   pid);
	else if (r == -ENOTCONN)
		doctor_say(ret, DOCTOR_OK, "none is running");
	else
		doctor_say(ret, DOCTOR_BROKEN, "%s", e.text);
}

static void check_policies(const struct doctor *d, struct doctor_finding *ret)
{
	_cleanup_(closep) int fd = open(d->policies_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(policy_set_freep) struct policy_set *set = NULL;
	struct policy_errors errors = {};
	char text[1024];
	int r;

	if (fd < 0) {
		doctor_say(ret, errno == ENOENT ? DOCTOR_WARNING : DOCTOR_BROKEN, "%s: %s",
			   d->policies_dir, strerror(errno));
		return;
	}
	r = policy_load_dir(fd, d->policies_dir, NULL, true, false, 0, 0, &set, &errors);
	if (r < 0 && errors.n)
		doctor_say(ret, DOCTOR_BROKEN, "%.180s",
			   policy_errors_first(&errors, text, sizeof(text)));
	else if (r < 0)
		doctor_say(ret, DOCTOR_BROKEN, "%s: %s", d->policies_dir, strerror(-r));
	else if (set->n_services == 0)
		doctor_say(ret, DOCTOR_WARNING, "%s has no policy: there is nothing to watch",
			   d->policies_dir);
	else
		doctor_say(ret, DOCTOR_OK, "%zu services", set->n_services);
	policy_errors_free(&errors);
}

static void directory_of(const char *path, char *ret, size_t size)
{
	char *slash;

	(void)copy_str(ret, size, path);
	slash = strrchr(ret, '/');
	if (slash)
		slash[slash == ret] = '\0';
	else
		(void)copy_str(ret, size, ".");
}

static void check_history_dir(const struct doctor *d, struct doctor_finding *ret)
{
	char dir[300], parent[300];

	directory_of(d->db, dir, sizeof(dir));
	existing_parent(dir, parent, sizeof(parent));
	if (access(parent, W_OK) < 0)
		doctor_say(ret, DOCTOR_WARNING, "%s: %s", parent, strerror(errno));
	else
		doctor_say(ret, DOCTOR_OK, "%s%s", dir,
			   streq(dir, parent) ? "" : " is made by the first run");
}

static void check_history_space(const struct doctor *d, struct doctor_finding *ret)
{
	char parent[300];
	struct statvfs fs;
	uint64_t bytes;

	existing_parent(d->db, parent, sizeof(parent));
	if (statvfs(parent, &fs) < 0) {
		doctor_say(ret, DOCTOR_WARNING, "%s: %s", parent, strerror(errno));
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	doctor_say(ret, bytes < FREE_BYTES_MIN ? DOCTOR_WARNING : DOCTOR_OK,
		   "%" PRIu64 " MiB free at %s", bytes / MIB, parent);
}

static void check_database(const struct doctor *d, struct doctor_finding *ret)
{
	_cleanup_(store_read_closep) sqlite3 *db = NULL;
	struct err e = {};
	int r = store_read_open(d->db, &db, &e);

	if (r == 0 &&
	    sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) != SQLITE_OK) {
		doctor_say(ret, DOCTOR_WARNING, "%s: %s", d->db, sqlite3_errmsg(db));
		return;
	}
	if (r == -ENOENT)
		doctor_say(ret, DOCTOR_OK, "made by the first run");
	else if (r < 0)
		doctor_say(ret, DOCTOR_WARNING, "%s", e.text);
	else
		doctor_say(ret, DOCTOR_OK, "%s opens", d->db);
}

static void check_worker_user(const struct doctor *d, struct doctor_finding *ret)
{
	if (getpwnam(WORKER_USER))
		doctor_say(ret, DOCTOR_OK, "there is a user " WORKER_USER);
	else if (getpwnam("nobody"))
		doctor_say(ret, DOCTOR_WARNING,
			   "no user " WORKER_USER ": the worker runs as nobody");
	else
		doctor_say(ret, DOCTOR_BROKEN, "neither " WORKER_USER " nor nobody is a user");
}

static void check_systemd(const struct doctor *d, struct doctor_finding *ret)
{
	if (access("/run/systemd/system", F_OK) == 0)
		doctor_say(ret, DOCTOR_OK, "it runs: limits of its units go through it");
	else
		doctor_say(ret, DOCTOR_OK, "not running: all limits are written directly");
}

/* clang-format off */
const struct doctor_check doctor_install[] = {
	{ "runtime-dir", check_runtime_dir, "control socket, lock and journal are there",
	  "install -d -m 755 -o root -g root /run/foreshape" },
	{ "agent", check_agent, "'foreshape status' says what is degraded; one that does not answer changes nothing",
	  "foreshape status; or end that process and 'foreshape restore'" },
	{ "policies", check_policies, "without a valid policy the agent only observes",
	  "foreshape check /etc/foreshape/policies.d/*.yaml; none yet: install -d -m 755 /etc/foreshape/policies.d" },
	{ "history-dir", check_history_dir, "samples, decisions and writes are kept there",
	  "install -d -m 755 /var/lib/foreshape" },
	{ "history-space", check_history_space, "history stops when the disk is full; shaping goes on",
	  "du -xh --max-depth=2 /var | sort -h | tail" },
	{ "history-db", check_database, "a damaged history is set aside by the next start",
	  "sqlite3 /var/lib/foreshape/history.db 'PRAGMA quick_check'" },
	{ "worker-user", check_worker_user, "the worker, which parses what others send, is best a user of its own",
	  "useradd --system --no-create-home foreshape" },
	{ "systemd", check_systemd, "", "" },
	{},
};
/* clang-format on */
