// SPDX-License-Identifier: GPL-2.0-or-later
/* test_files.c - which files of a directory are read, and whose they must be. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/check.h"
#include "policies/policy.h"

#define GOOD "version: 1\nservice: a\nmatch: { unit: a.service }\n"

static char dir[64];
static int dir_fd;
static struct policy_set *set;
static struct policy_errors errors;

static void put(const char *name, const char *text, mode_t mode)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int fresh(void **state)
{
	copy_str(dir, sizeof(dir), "/tmp/foreshape-files-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int release(void **state)
{
	static const char *const names[] = {"a.yaml", "b.yaml",  "host.yaml", "x",
					    "c.yml",  ".h.yaml", "c.csv",     "m.ics"};

	policy_set_free(set);
	set = NULL;
	policy_errors_free(&errors);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(dir_fd, names[i], 0);
	close(dir_fd);
	return rmdir(dir);
}

static int load(bool strict)
{
	policy_set_free(set);
	set = NULL;
	policy_errors_free(&errors);
	return policy_load_dir(dir_fd, "p", NULL, strict, false, 0, 0, &set, &errors);
}

/* The finding about @file whose text begins with @text, or NULL. */
static const struct policy_error *find(const char *file, const char *text)
{
	for (size_t i = 0; i < errors.n; i++) {
		if (streq(errors.list[i].file, file) &&
		    strncmp(errors.list[i].text, text, strlen(text)) == 0)
			return &errors.list[i];
	}
	return NULL;
}

static void assert_distrusted(const char *file, const char *text)
{
	assert_int_equal(load(true), -EINVAL);
	assert_non_null(find(file, text));
	assert_false(find(file, text)->warning);
	assert_int_equal(load(false), 0);
	assert_true(find(file, text)->warning);
}

static void only_visible_yaml_files_are_read(void **state)
{
	put("a.yaml", GOOD, 0644);
	put("x", "not: a policy", 0644);
	put(".h.yaml", "not: a policy", 0644);
	put("c.yml", "not: a policy", 0644);
	put("host.yaml", "version: 1\ndwell: 1s\n", 0644);
	assert_int_equal(load(false), 0);
	assert_int_equal(set->n_services, 1);
	assert_string_equal(set->services[0].at.file, "p/a.yaml");
	assert_int_equal(set->host.dwell_ns, NS_PER_S);
	assert_non_null(find("p", "'c.yml' is not read"));
}

static void an_empty_directory_is_an_empty_set(void **state)
{
	assert_int_equal(load(false), 0);
	assert_int_equal(set->n_services, 0);
	policy_set_free(set);
	set = NULL;
	assert_int_equal(policy_load_dir(-1, "p", NULL, true, false, 0, 0, &set, &errors), 0);
	assert_int_equal(set->n_services, 0);
}

static void files_others_may_write_are_distrusted(void **state)
{
	put("a.yaml", GOOD, 0664);
	assert_distrusted("p/a.yaml", "writable by others than root");
	assert_int_equal(fchmodat(dir_fd, "a.yaml", 0646, 0), 0);
	assert_distrusted("p/a.yaml", "writable by others than root");
}

static void a_directory_others_may_write_is_distrusted(void **state)
{
	put("a.yaml", GOOD, 0644);
	assert_int_equal(fchmod(dir_fd, 0777), 0);
	assert_distrusted("p", "writable by others than root");
}

static void files_of_others_are_distrusted(void **state)
{
	put("a.yaml", GOOD, 0644);
	if (geteuid() == 0)
		assert_int_equal(fchownat(dir_fd, "a.yaml", 65534, 65534, 0), 0);
	assert_distrusted("p/a.yaml", "not owned by root");
}

static void the_first_error_names_a_line_where_there_is_one(void **state)
{
	char text[256];

	assert_string_equal(policy_errors_first(&errors, text, sizeof(text)), "");
	put("c.yml", "", 0644);
	put("a.yaml", "version: 1\nservice: [\n", 0664);
	put("b.yaml", GOOD, 0664);
	assert_int_equal(load(true), -EINVAL);
	assert_string_equal(policy_errors_first(&errors, text, sizeof(text)),
			    "p/a.yaml: writable by others than root: chmod go-w p/a.yaml");
	assert_int_equal(fchmodat(dir_fd, "a.yaml", 0644, 0), 0);
	assert_int_equal(unlinkat(dir_fd, "b.yaml", 0), 0);
	assert_int_equal(load(true), -EINVAL);
	assert_int_equal(
		strncmp(policy_errors_first(&errors, text, sizeof(text)), "p/a.yaml:3:1: ", 14), 0);
	assert_null(strchr(text, '\n'));
}

static void links_are_distrusted(void **state)
{
	put("x", GOOD, 0644);
	assert_int_equal(symlinkat("x", dir_fd, "a.yaml"), 0);
	assert_distrusted("p/a.yaml", "a symbolic link");
	assert_int_equal(unlinkat(dir_fd, "a.yaml", 0), 0);
	assert_int_equal(linkat(dir_fd, "x", dir_fd, "a.yaml", 0), 0);
	assert_distrusted("p/a.yaml", "a file with several names");
}

static void what_is_no_file_is_an_error(void **state)
{
	assert_int_equal(mkfifoat(dir_fd, "a.yaml", 0644), 0);
	assert_int_equal(load(false), -EINVAL);
	assert_non_null(find("p/a.yaml", "not a regular file"));
	assert_int_equal(unlinkat(dir_fd, "a.yaml", 0), 0);
	assert_int_equal(symlinkat("nowhere", dir_fd, "a.yaml"), 0);
	assert_int_equal(load(false), -EINVAL);
	assert_non_null(find("p/a.yaml", "cannot be read: No such file"));
}

static void one_bad_file_fails_the_whole_set(void **state)
{
	put("a.yaml", GOOD, 0644);
	put("b.yaml", "version: 1\nservice: b\n", 0644);
	assert_int_equal(load(false), -EINVAL);
	assert_null(set);
	assert_non_null(find("p/b.yaml", "missing key 'match'"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, release)

#define NAMES GOOD "calendars: [c.csv, m.ics]\n"

static void put_calendars(const char *csv)
{
	put("a.yaml", NAMES "events:\n  - { name: own, starts: 2200-05-01T00:00Z, lasts: 1h }\n",
	    0644);
	put("c.csv", csv, 0644);
	put("m.ics",
	    "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:standup\nDTSTART:20260105T090000Z\n"
	    "DURATION:PT15M\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n",
	    0644);
}

/* The policy's own first, then the next ones of all files, 64 together. */
static void calendars_lie_beside_the_policy(void **state)
{
	char line[128] = "date,name\n2001-01-01,over\n2199-01-01,too far\n";
	time_t tomorrow = time(NULL) + 86400;
	const struct policy_service *s;
	size_t n_holidays = 0;

	(void)strftime(line + strlen(line), 32, "%Y-%m-%d,holiday\n", gmtime(&tomorrow));
	put_calendars(line);
	assert_int_equal(load(true), 0);
	s = &set->services[0];
	assert_int_equal(s->n_calendars, 2);
	assert_int_equal(s->n_own_events, 1);
	assert_int_equal(s->n_events, POLICY_MAX_EVENTS);
	assert_string_equal(s->events[0].name, "own");
	for (size_t i = 1; i < s->n_events; i++) {
		bool holiday = streq(s->events[i].name, "holiday");

		n_holidays += holiday;
		assert_true(holiday || streq(s->events[i].name, "standup"));
		assert_int_equal(s->events[i].lasts_ns / NS_PER_S, holiday ? 86400 : 900);
		assert_true(i == 1 ||
			    s->events[i].starts_real_ns >= s->events[i - 1].starts_real_ns);
		assert_true(isnan(s->events[i].multiplier));
	}
	assert_int_equal(n_holidays, 1);
}

static void bad_calendars_are_told_with_both_lines(void **state)
{
	put_calendars("date,name\n2030-02-30,no\n");
	assert_int_equal(load(true), -EINVAL);
	assert_non_null(find("p/a.yaml", "c.csv:2: not a date (2027-03-20) or time: '2030-02-30'"));
	assert_int_equal(find("p/a.yaml", "c.csv:2")->line, 4);
	assert_int_equal(find("p/a.yaml", "c.csv:2")->column, 13);
	assert_int_equal(unlinkat(dir_fd, "m.ics", 0), 0);
	assert_int_equal(unlinkat(dir_fd, "c.csv", 0), 0);
	put("c.csv", "", 0644);
	assert_int_equal(load(true), -EINVAL);
	assert_non_null(find("p/m.ics", "cannot be read: No such file"));
	assert_non_null(find("p/a.yaml", "the calendar cannot be used"));
}

/* A calendar is as much a policy as what names it. */
static void calendars_others_could_write_are_distrusted(void **state)
{
	put_calendars("");
	assert_int_equal(fchmodat(dir_fd, "c.csv", 0664, 0), 0);
	assert_distrusted("p/c.csv", "writable by others than root");
	assert_int_equal(fchmodat(dir_fd, "c.csv", 0644, 0), 0);
	assert_int_equal(renameat(dir_fd, "c.csv", dir_fd, "x"), 0);
	assert_int_equal(symlinkat("x", dir_fd, "c.csv"), 0);
	assert_distrusted("p/c.csv", "a symbolic link");
}

static void changed_calendars_are_read_again(void **state)
{
	const char *starts = "date,name\n2001-01-01,sale,2199-01-01\n";
	uint64_t stamp;

	put("a.yaml", GOOD "calendars: [c.csv]\n", 0644);
	put("c.csv", starts, 0644);
	assert_int_equal(load(true), 0);
	stamp = policy_calendars_stamp(set, dir_fd);
	assert_true(stamp != 0 && stamp == policy_calendars_stamp(set, dir_fd));
	put("c.csv", "date,name\n2001-01-01,fair,2199-01-02\n2001-01-01,sale,2199-01-01\n", 0644);
	assert_true(policy_calendars_stamp(set, dir_fd) != stamp);
	assert_int_equal(policy_calendars_reread(set, dir_fd, &errors), 0);
	assert_int_equal(set->services[0].n_events, 2);
	assert_string_equal(set->services[0].events[0].name, "fair");
	put("c.csv", "date,name\n2001-01-01,bad,no date\n2001-01-01,sale,2199-01-01\n", 0644);
	assert_int_equal(policy_calendars_reread(set, dir_fd, &errors), -EINVAL);
	assert_non_null(find("p/a.yaml", "c.csv:2: not a date (2027-03-20) or time: 'no date'"));
	assert_int_equal(set->services[0].n_events, 2);
}

/* Who may write the directory can put a calendar of root's into another one's place. */
static void calendars_are_not_read_again_where_others_may_write(void **state)
{
	uint64_t stamp;

	put("a.yaml", GOOD "calendars: [c.csv]\n", 0644);
	put("c.csv", "date,name\n2001-01-01,sale,2199-01-01\n", 0644);
	assert_int_equal(load(true), 0);
	stamp = policy_calendars_stamp(set, dir_fd);
	assert_int_equal(fchmod(dir_fd, 0775), 0);
	assert_true(policy_calendars_stamp(set, dir_fd) != stamp);
	put("c.csv", "date,name\n2001-01-01,fair,2199-01-02\n2001-01-01,sale,2199-01-01\n", 0644);
	assert_int_equal(policy_calendars_reread(set, dir_fd, &errors), -EINVAL);
	assert_non_null(find("p", "writable by others than root: chmod go-w p"));
	assert_int_equal(set->services[0].n_events, 1);
	assert_string_equal(set->services[0].events[0].name, "sale");
	assert_int_equal(fchmod(dir_fd, 0755), 0);
	assert_int_equal(policy_calendars_reread(set, dir_fd, &errors), 0);
	assert_int_equal(set->services[0].n_events, 2);
}

static void calendars_of_a_directory_of_others_are_not_read_again(void **state)
{
	put("a.yaml", GOOD "calendars: [c.csv]\n", 0644);
	put("c.csv", "date,name\n2001-01-01,sale,2199-01-01\n", 0644);
	assert_int_equal(load(true), 0);
	assert_int_equal(fchown(dir_fd, 65534, 0), 0);
	assert_int_equal(policy_calendars_reread(set, dir_fd, &errors), -EINVAL);
	assert_non_null(find("p", "not owned by root"));
	assert_int_equal(set->services[0].n_events, 1);
}

static void calendars_have_no_path(void **state)
{
	static const char *const names[] = {"../c.csv", "/etc/c.csv", "d/c.csv", ".c.csv", "c.txt"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char text[256];

		(void)snprintf(text, sizeof(text), GOOD "calendars: [%s]\n", names[i]);
		put("a.yaml", text, 0644);
		assert_int_equal(load(false), -EINVAL);
		(void)snprintf(text, sizeof(text), "'%s' is no calendar", names[i]);
		assert_non_null(find("p/a.yaml", text));
		assert_int_equal(unlinkat(dir_fd, "a.yaml", 0), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_visible_yaml_files_are_read),
		TEST(an_empty_directory_is_an_empty_set),
		TEST(files_others_may_write_are_distrusted),
		TEST(a_directory_others_may_write_is_distrusted),
		TEST(files_of_others_are_distrusted),
		TEST(the_first_error_names_a_line_where_there_is_one),
		TEST(links_are_distrusted),
		TEST(what_is_no_file_is_an_error),
		TEST(one_bad_file_fails_the_whole_set),
		TEST(calendars_lie_beside_the_policy),
		TEST(bad_calendars_are_told_with_both_lines),
		TEST(calendars_others_could_write_are_distrusted),
		TEST(changed_calendars_are_read_again),
		TEST(calendars_are_not_read_again_where_others_may_write),
		TEST(calendars_of_a_directory_of_others_are_not_read_again),
		TEST(calendars_have_no_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
