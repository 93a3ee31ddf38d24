// SPDX-License-Identifier: GPL-2.0-or-later
/* load.c - policy files to one policy set: read, check alone, check together. */
#include "policies/policy.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/cleanup.h"
#include "policies/rules.h"
#include "policies/schema.h"
#include "policies/yamltree.h"

static const uint64_t horizons_s[] = {30, 300, S_PER_H, S_PER_DAY, 7 * S_PER_DAY};

/* What is loaded so far; the texts are kept for the findings of several files together. */
struct loader {
	struct policy_set *set;
	struct findings *files; /* [n_files], the names those of the set */
	char **texts;
	size_t n_files;
	uint32_t n_hosts;
	int64_t now_real_ns;
};

void policy_host_defaults(struct policy_host *ret)
{
	*ret = (struct policy_host){};
	schema_defaults(&schema_host, ret);
	for (size_t i = 0; i < ARRAY_SIZE(horizons_s); i++)
		ret->horizons_ns[i] = horizons_s[i] * NS_PER_S;
	ret->n_horizons = ARRAY_SIZE(horizons_s);
}

/* Reads all of @fd, at most POLICY_MAX_BYTES, to *ret (free). Reports what is wrong. */
static int read_file(int fd, struct findings *f, char **ret)
{
	_cleanup_(freep) char *text = malloc(POLICY_MAX_BYTES + 1);
	size_t n = 0;

	if (!text)
		return -ENOMEM;
	while (n <= POLICY_MAX_BYTES) {
		ssize_t got = pread(fd, text + n, POLICY_MAX_BYTES + 1 - n, (off_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			findings_error(f, 0, 0, "cannot be read: %s", strerror(errno));
			return -EINVAL;
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	if (n > POLICY_MAX_BYTES) {
		findings_error(f, 0, 0, "larger than 256 KiB");
		return -EINVAL;
	}
	*ret = realloc(text, n + 1);
	if (!*ret)
		return -ENOMEM;
	(void)take_ptr(text);
	f->text = *ret;
	f->size = n;
	return 0;
}

static int read_tree(struct schema_reader *r, const struct schema_map *map, void *base)
{
	_cleanup_(yamltree_freep) struct yamltree *tree = NULL;
	int k = yamltree_parse(r->f, &tree);

	if (k < 0)
		return k == -EINVAL ? 0 : k;
	r->tree = tree;
	if (!tree->root && !tree->cut)
		findings_error(r->f, 1, 1, "empty: a policy starts with 'version: 1'");
	else if (tree->root && tree->root->kind != YAMLTREE_MAP)
		findings_error(r->f, tree->root->line, tree->root->column,
			       "must be keys and values, starting with 'version: 1'");
	else if (tree->root)
		return schema_read(r, map, tree->root, base);
	return 0;
}

static int load_service(struct loader *l, struct schema_reader *r)
{
	struct policy_service *list;

	list = reallocarray(l->set->services, l->set->n_services + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	l->set->services = list;
	list += l->set->n_services++;
	*list = (struct policy_service){};
	schema_defaults(&schema_service, list);
	return read_tree(r, &schema_service, list);
}

static int load_one(struct loader *l, const struct policy_input *in, struct policy_errors *errors)
{
	struct findings *f = &l->files[l->n_files];
	struct schema_reader r = {.f = f,
				  .in = in,
				  .now_real_ns =
					  in->now_real_ns ? in->now_real_ns : l->now_real_ns};
	size_t first = errors->n;
	int k;

	l->set->files[l->n_files] = strdup(in->name);
	if (!l->set->files[l->n_files])
		return -ENOMEM;
	l->set->n_files++;
	r.file = l->set->files[l->n_files];
	*f = (struct findings){.to = errors, .file = r.file};
	k = read_file(in->fd, f, &l->texts[l->n_files++]);
	if (k == -ENOMEM)
		return k;
	if (k < 0)
		return 0;
	if (in->is_host && l->n_hosts++ > 0)
		findings_error(f, 0, 0, "a second host.yaml");
	else if (in->is_host)
		k = read_tree(&r, &schema_host, &l->set->host);
	else
		k = load_service(l, &r);
	findings_sort(errors, first);
	return k;
}

static struct findings *find_file(void *files, const char *file)
{
	struct loader *l = files;
	size_t i = 0;

	while (i < l->n_files - 1 && l->files[i].file != file)
		i++;
	return &l->files[i];
}

/* Leaves out the services of files with errors, so that nothing is said twice. */
static void drop_broken(struct loader *l)
{
	struct policy_set *set = l->set;
	size_t n = 0;

	for (size_t i = 0; i < set->n_services; i++) {
		struct policy_service *s = &set->services[i];

		if (s->at.file && find_file(l, s->at.file)->n_errors == 0) {
			set->services[n++] = *s;
			continue;
		}
		free(s->apis);
		free(s->events);
	}
	set->n_services = n;
}

static int by_name(const void *a, const void *b)
{
	const struct policy_service *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int load_all(struct loader *l, const struct policy_input *in, size_t n,
		    struct policy_errors *errors)
{
	for (size_t i = 0; i < n; i++) {
		int k = load_one(l, &in[i], errors);

		if (k < 0)
			return k;
	}
	drop_broken(l);
	return 0;
}

static void free_texts(struct loader *l)
{
	for (size_t i = 0; i < l->n_files; i++)
		free(l->texts[i]);
	free(l->texts);
	free(l->files);
}

static int allocate(struct loader *l, size_t n)
{
	l->set = calloc(1, sizeof(*l->set));
	l->files = calloc(n + 1, sizeof(*l->files));
	l->texts = calloc(n + 1, sizeof(*l->texts));
	if (l->set)
		l->set->files = calloc(n + 1, sizeof(*l->set->files));
	if (!l->set || !l->files || !l->texts || !l->set->files)
		return -ENOMEM;
	policy_host_defaults(&l->set->host);
	return 0;
}

int64_t policy_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec;
}

int policy_load(const struct policy_input *in, size_t n, uint64_t capacity_mcpu,
		uint64_t memory_bytes, struct policy_set **ret, struct policy_errors *errors)
{
	struct loader l = {.now_real_ns = policy_now()};
	struct rules_set rules = {.capacity_mcpu = capacity_mcpu, .memory_bytes = memory_bytes};
	struct findings whole = {.to = errors, .file = "policies"};
	int r = allocate(&l, n);

	if (r == 0 && n > POLICY_MAX_FILES)
		findings_error(&whole, 0, 0, "more than %d policy files", POLICY_MAX_FILES);
	else if (r == 0)
		r = load_all(&l, in, n, errors);
	if (r == 0 && l.n_files > 0) {
		rules.set = l.set;
		rules.at = find_file;
		rules.files = &l;
		rules_all(&rules);
	}
	free_texts(&l);
	if (r == 0 && errors->n_errors > 0)
		r = -EINVAL;
	if (r < 0) {
		policy_set_free(l.set);
		return r;
	}
	if (l.set->n_services)
		qsort(l.set->services, l.set->n_services, sizeof(*l.set->services), by_name);
	*ret = l.set;
	return 0;
}

void policy_set_free(struct policy_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n_services; i++) {
		free(set->services[i].apis);
		free(set->services[i].events);
	}
	free(set->services);
	for (size_t i = 0; i < set->n_files; i++)
		free(set->files[i]);
	free(set->files);
	free(set);
}

void policy_set_freep(struct policy_set **set)
{
	policy_set_free(*set);
}
