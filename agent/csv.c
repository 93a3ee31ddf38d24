// SPDX-License-Identifier: GPL-2.0-or-later
/* csv.c - one column of a CSV file as values at even steps. */
#include "agent/csv.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "agent/base/cleanup.h"
#include "agent/base/parse.h"
#include "agent/base/util.h"

#define MAX_FIELDS   256
#define GAP_RATE     20     /* steps a row may stand for on average, with the gaps */
#define GAP_FREE     200000 /* steps that gaps may always have */
#define MEDIAN_DIFFS 10000  /* differences looked at for the step */
#define COARSER      1.5    /* times the file's step: from there on rows are averaged */
#define EPOCH_MAX_S  9e9

struct row {
	int64_t at_ns;
	double value;
};

struct reader {
	const char *path, *column; /* column NULL: not named */
	FILE *f;
	uint64_t line;
	char *buf; /* [CSV_MAX_LINE] */
	char *fields[MAX_FIELDS];
	size_t n_fields;
	size_t n_columns, value_at; /* of every row; set by the first line */
	bool no_times;
	enum csv_time time;
	struct row *rows;
	size_t n, room, n_negative;
	struct csv_series *s;
	struct err *e;
};

static void reader_close(struct reader *r)
{
	if (r->f && r->f != stdin)
		fclose(r->f);
	free(r->buf);
	free(r->rows);
}

void csv_free(struct csv_series *s)
{
	free(s->values);
	s->values = NULL;
}

static int bad(struct reader *r, const char *what, const char *text)
{
	return err_say(r->e, -EINVAL, "%s:%" PRIu64 ": %s '%.40s'", r->path, r->line, what, text);
}

/* Takes blanks and one pair of quotes off both ends of @s, in place. */
static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r\n", s[n - 1]))
		s[--n] = '\0';
	if (n >= 2 && s[0] == '"' && s[n - 1] == '"') {
		s[n - 1] = '\0';
		s++;
	}
	return s;
}

/* Splits the line in the buffer. Returns 0 or -EINVAL. */
static int split(struct reader *r)
{
	char *at = r->buf, *comma;

	if (r->line == 1 && strncmp(at, "\xef\xbb\xbf", 3) == 0)
		at += 3;
	for (r->n_fields = 0; r->n_fields < MAX_FIELDS; at = comma + 1) {
		comma = strchr(at, ',');
		if (comma)
			*comma = '\0';
		r->fields[r->n_fields++] = trim(at);
		if (!comma)
			return 0;
	}
	return err_say(r->e, -EINVAL, "%s:%" PRIu64 ": more than %d columns", r->path, r->line,
		       MAX_FIELDS);
}

/* Reads the next line that is not blank. Returns 1, 0 at the end, or a negative errno. */
static int next_line(struct reader *r)
{
	while (fgets(r->buf, CSV_MAX_LINE, r->f)) {
		size_t n = strlen(r->buf);

		r->line++;
		if (n + 1 == CSV_MAX_LINE && r->buf[n - 1] != '\n')
			return err_say(r->e, -EINVAL, "%s:%" PRIu64 ": longer than %d bytes",
				       r->path, r->line, CSV_MAX_LINE);
		if (r->buf[strspn(r->buf, " \t\r\n")] != '\0')
			return split(r) < 0 ? -EINVAL : 1;
		/* In a file of one column a blank line is a missing value. */
		if (r->no_times && r->n_columns == 1)
			return split(r) < 0 ? -EINVAL : 1;
	}
	return ferror(r->f) ? err_set(r->e, -EIO, "read %s", r->path) : 0;
}

static bool missing(const char *s)
{
	return *s == '\0' || strcasecmp(s, "nan") == 0 || strcasecmp(s, "na") == 0 ||
	       strcasecmp(s, "null") == 0;
}

/* Epoch seconds, also with a fraction or below 0. */
static bool parse_epoch(const char *s, int64_t *ret)
{
	double seconds;

	if (parse_double(s, &seconds) < 0 || fabs(seconds) > EPOCH_MAX_S)
		return false;
	*ret = (int64_t)floor(seconds) * (int64_t)NS_PER_S +
	       (int64_t)llround((seconds - floor(seconds)) * (double)NS_PER_S);
	return true;
}

/* ISO-8601; without a zone it is UTC, so that no hour is there twice. */
static bool parse_iso(const char *s, int64_t *ret, enum csv_time *form)
{
	size_t n = strlen(s);
	char text[64];
	bool zone = n > 0 && (s[n - 1] == 'Z' || (n > 16 && strpbrk(s + 16, "+-")));

	if (n < 10 || n > 40 || s[4] != '-')
		return false;
	*form = n == 10 ? CSV_DATE : CSV_ISO;
	(void)snprintf(text, sizeof(text), "%s%s", s, n == 10 ? "T00:00Z" : zone ? "" : "Z");
	return parse_time_ns(text, ret) == 0;
}

static bool parse_time(const char *s, int64_t *ret, enum csv_time *form)
{
	*form = CSV_EPOCH;
	return parse_epoch(s, ret) || parse_iso(s, ret, form);
}

/* Whether the first line already is a row. */
static bool reads_as_row(const struct reader *r)
{
	enum csv_time form;
	int64_t at;
	double v;

	if (r->n_fields == 1)
		return missing(r->fields[0]) || parse_double(r->fields[0], &v) == 0;
	return parse_time(r->fields[0], &at, &form);
}

static int find_column(struct reader *r, bool header)
{
	r->value_at = r->n_columns > 1 ? 1 : 0;
	if (!r->column)
		return 0;
	if (!header)
		return err_say(r->e, -EINVAL, "%s has no header: cannot look for column '%s'",
			       r->path, r->column);
	for (size_t i = 0; i < r->n_columns; i++) {
		if (streq(r->fields[i], r->column)) {
			r->value_at = i;
			return 0;
		}
	}
	return err_say(r->e, -EINVAL, "%s has no column '%s'", r->path, r->column);
}

static int add_row(struct reader *r, int64_t at_ns, double value)
{
	if (r->n == r->room) {
		size_t room = MAX(2 * r->room, 4096);
		struct row *rows;

		if (r->n >= CSV_MAX_ROWS)
			return err_say(r->e, -E2BIG, "%s has more than %d rows", r->path,
				       CSV_MAX_ROWS);
		rows = realloc(r->rows, room * sizeof(*rows));
		if (!rows)
			return err_set(r->e, -ENOMEM, "read %s", r->path);
		r->rows = rows;
		r->room = room;
	}
	if (value < 0) {
		r->n_negative++;
		value = NAN;
	}
	r->rows[r->n++] = (struct row){.at_ns = at_ns, .value = value};
	return 0;
}

static int take_row(struct reader *r)
{
	const char *text;
	double value = NAN;
	int64_t at = (int64_t)r->n;
	enum csv_time form;

	if (r->n_fields <= r->value_at)
		return bad(r, "too few columns:", r->fields[0]);
	text = r->fields[r->value_at];
	if (!missing(text) && parse_double(text, &value) < 0)
		return bad(r, "not a number:", text);
	if (r->no_times)
		return add_row(r, at, value);
	if (!parse_time(r->fields[0], &at, &form))
		return bad(r, "not a time (epoch seconds or ISO-8601):", r->fields[0]);
	if (r->n == 0 || form == CSV_ISO)
		r->time = form;
	if (r->n > 0 && at == r->rows[r->n - 1].at_ns)
		return bad(r, "the same time again:", r->fields[0]);
	if (r->n > 0 && at < r->rows[r->n - 1].at_ns)
		return bad(r, "time goes back:", r->fields[0]);
	return add_row(r, at, value);
}

static int read_rows(struct reader *r, uint64_t step_ns)
{
	int got = next_line(r);
	bool header;

	if (got <= 0)
		return got < 0 ? got : err_say(r->e, -EINVAL, "%s is empty", r->path);
	assert(r->n_fields > 0);
	header = !reads_as_row(r);
	r->n_columns = r->n_fields;
	r->no_times = r->n_columns == 1;
	got = find_column(r, header);
	if (got < 0)
		return got;
	(void)copy_str(r->s->column, sizeof(r->s->column),
		       header ? r->fields[r->value_at] : "value");
	if (r->no_times && step_ns == 0)
		return err_say(r->e, -EINVAL, "%s has no times: give its step, as --step 60s",
			       r->path);
	for (got = header ? next_line(r) : 1; got > 0; got = next_line(r)) {
		got = take_row(r);
		if (got < 0)
			return got;
	}
	if (got == 0 && r->n == 0)
		return err_say(r->e, -EINVAL, "%s has no rows", r->path);
	return got;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Median difference of the first times; 0 where there are fewer than two rows. */
static uint64_t median_step(const struct reader *r)
{
	size_t n = MIN(r->n - 1, MEDIAN_DIFFS);
	_cleanup_(freep) uint64_t *diffs = malloc(MAX(n, 1) * sizeof(*diffs));

	if (n == 0 || !diffs)
		return 0;
	for (size_t i = 0; i < n; i++)
		diffs[i] = (uint64_t)r->rows[i + 1].at_ns - (uint64_t)r->rows[i].at_ns;
	qsort(diffs, n, sizeof(*diffs), by_size);
	return diffs[n / 2];
}

/* Time from the first row to row @i; the two may lie on both sides of 1970. */
static uint64_t since_first(const struct reader *r, size_t i)
{
	return (uint64_t)r->rows[i].at_ns - (uint64_t)r->rows[0].at_ns;
}

/* Whether the end of @n steps from @start_ns still is a time. */
static bool is_countable(int64_t start_ns, uint64_t n, uint64_t step_ns)
{
	int64_t end_ns;

	return n <= INT64_MAX / step_ns &&
	       !__builtin_add_overflow(start_ns, (int64_t)(n * step_ns), &end_ns);
}

static int too_far(struct reader *r, uint64_t step_ns)
{
	return err_say(r->e, -E2BIG,
		       "%s: %zu rows at a step of %.6g s reach beyond the year 2262: is the step "
		       "right?",
		       r->path, r->n, (double)step_ns / (double)NS_PER_S);
}

/* Puts the rows on the grid: the mean of the rows of a step, NAN where there is none. */
static int place(struct reader *r, uint64_t step_ns, bool coarser)
{
	struct csv_series *s = r->s;
	uint64_t shift = coarser ? 0 : step_ns / 2;
	uint64_t last, n, before = UINT64_MAX;
	double in_step = 0;

	if (__builtin_add_overflow(since_first(r, r->n - 1), shift, &last))
		return too_far(r, step_ns);
	n = last / step_ns + 1;
	if (!is_countable(r->rows[0].at_ns, n, step_ns))
		return too_far(r, step_ns);
	if (n > (uint64_t)GAP_RATE * r->n + GAP_FREE)
		return err_say(r->e, -E2BIG,
			       "%s: %zu rows would fill %" PRIu64 " steps: is the step right?",
			       r->path, r->n, n);
	s->values = malloc(n * sizeof(*s->values));
	if (!s->values)
		return err_set(r->e, -ENOMEM, "read %s", r->path);
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->values[i] = NAN;
	for (size_t i = 0; i < r->n; i++) {
		uint64_t at = (since_first(r, i) + shift) / step_ns;

		assert(at < n); /* times grow: the last row is the farthest */
		if (isnan(r->rows[i].value))
			continue;
		in_step = at == before ? in_step + 1 : 1;
		before = at;
		if (in_step == 1)
			s->values[at] = r->rows[i].value;
		else
			s->values[at] += (r->rows[i].value - s->values[at]) / in_step;
	}
	return 0;
}

static int lay_out(struct reader *r, uint64_t step_ns)
{
	struct csv_series *s = r->s;
	uint64_t own;
	int err;

	assert(r->rows); /* a file without one is refused */
	own = median_step(r);
	if (r->no_times) {
		if (!is_countable(0, r->n, step_ns))
			return too_far(r, step_ns);
		for (size_t i = 0; i < r->n; i++)
			r->rows[i].at_ns = (int64_t)(i * step_ns);
		own = step_ns;
	}
	if (step_ns == 0)
		step_ns = own > 0 ? own : NS_PER_S;
	err = place(r, step_ns, own > 0 && (double)step_ns > COARSER * (double)own);
	if (err < 0)
		return err;
	s->step_ns = step_ns;
	s->start_real_ns = r->rows[0].at_ns;
	s->time = r->time;
	s->n_rows = r->n;
	s->n_negative = r->n_negative;
	for (size_t i = 0; i < s->n; i++)
		s->n_missing += isnan(s->values[i]);
	return 0;
}

int csv_read(const char *path, const char *column, uint64_t step_ns, struct csv_series *ret,
	     struct err *e)
{
	_cleanup_(csv_free) struct csv_series s = {};
	_cleanup_(reader_close) struct reader r = {.path = path, .column = column, .s = &s, .e = e};
	int err;

	r.f = streq(path, "-") ? stdin : fopen(path, "re");
	if (!r.f)
		return err_set(e, -errno, "open %s", path);
	r.buf = malloc(CSV_MAX_LINE);
	if (!r.buf)
		return err_set(e, -ENOMEM, "read %s", path);
	err = read_rows(&r, step_ns);
	if (err < 0)
		return err;
	err = lay_out(&r, step_ns);
	if (err < 0)
		return err;
	*ret = s;
	s.values = NULL;
	return 0;
}

int csv_move(struct csv_series *s, int64_t start_real_ns, size_t n)
{
	double step_ns = (double)s->step_ns;
	int64_t by = llround((double)(s->start_real_ns - start_real_ns) / step_ns);
	double *values = malloc(MAX(n, (size_t)1) * sizeof(*values));

	if (!values)
		return -ENOMEM;
	s->n_missing = 0;
	for (size_t i = 0; i < n; i++) {
		int64_t from = (int64_t)i - by;

		values[i] = from >= 0 && (size_t)from < s->n ? s->values[from] : NAN;
		s->n_missing += isnan(values[i]);
	}
	free(s->values);
	s->values = values;
	s->n = n;
	s->start_real_ns = start_real_ns;
	return 0;
}

char *csv_format_time(char *buf, size_t size, const struct csv_series *s, size_t index)
{
	int64_t at = s->start_real_ns + (int64_t)(index * s->step_ns);
	int64_t seconds = at / (int64_t)NS_PER_S, ns = at % (int64_t)NS_PER_S;
	const char *form = s->time == CSV_DATE ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ";
	time_t t = (time_t)seconds;
	struct tm tm;

	if (ns < 0) {
		ns += (int64_t)NS_PER_S;
		t = (time_t)--seconds;
	}
	if (s->time != CSV_EPOCH && gmtime_r(&t, &tm) && strftime(buf, size, form, &tm) > 0)
		return buf;
	if (s->time == CSV_EPOCH && ns != 0)
		(void)snprintf(buf, size, "%.3f", (double)seconds + (double)ns / (double)NS_PER_S);
	else
		(void)snprintf(buf, size, "%" PRId64, seconds);
	return buf;
}
