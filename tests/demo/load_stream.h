/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_stream.h - the requests of one stream over many kept-alive connections. A request's latency
 * runs from the time it was scheduled for, whether or not a connection was free then.
 */
#ifndef FORESHAPE_LOAD_STREAM_H
#define FORESHAPE_LOAD_STREAM_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/demo/load_curve.h"
#include "tests/demo/load_hist.h"

#define LOAD_MAX_PATHS   8
#define LOAD_MAX_CONNS   256 /* a stream */
#define LOAD_MAX_WAITING 65536
#define LOAD_HEAD_MAX    2048

struct load_counts {
	uint64_t scheduled;
	uint64_t good;     /* answered 2xx within the objective's latency */
	uint64_t late;     /* answered 2xx, too late */
	uint64_t refused;  /* answered otherwise */
	uint64_t broken;   /* connection lost or refused */
	uint64_t timeouts; /* no answer in time: a miss */
};

/* What --raw writes of each request, in the order they were settled. */
struct load_record {
	uint64_t at_ns;   /* scheduled, CLOCK_MONOTONIC */
	uint32_t took_us; /* the timeout where there was no answer */
	uint32_t is_good; /* answered 2xx, in time or not */
};
_Static_assert(sizeof(struct load_record) == 16, "others read this");

struct load_request {
	uint64_t at_ns; /* scheduled, CLOCK_MONOTONIC */
	uint32_t path;
};

struct load_conn {
	struct load_stream *stream;
	int fd; /* -1: unused */
	bool connecting, busy;
	struct load_request request;
	uint64_t body_left;
	bool in_body, close_after;
	unsigned int status;
	size_t head_used;
	char head[LOAD_HEAD_MAX + 1];
};

struct load_stream {
	const char *name;
	struct sockaddr_in to;
	size_t n_paths;
	char paths[LOAD_MAX_PATHS][128];
	double share[LOAD_MAX_PATHS]; /* cumulated, the last is 1 */
	struct load_curve curve;
	uint64_t slo_ns, timeout_ns;
	FILE *raw;        /* takes a struct load_record a request; NULL: nobody wants them */
	uint64_t next_ns; /* arrival; UINT64_MAX: no more */

	int epoll_fd;
	struct load_conn conns[LOAD_MAX_CONNS];
	struct load_request waiting[LOAD_MAX_WAITING]; /* ring */
	size_t first, n_waiting, n_busy;

	struct load_counts second, total;
	struct load_hist second_hist, total_hist;
};

/* Reads "NAME,ADDR:PORT,PATH[:SHARE][;PATH...],CURVE_FILE,SLO_LATENCY" into @ret. */
int load_stream_parse(char *text, uint64_t seed, uint64_t timeout_ns, struct load_stream *ret,
		      struct err *e);

/* Sends or queues every request due at @now_ns; @start_ns is the curve's zero. */
void load_stream_due(struct load_stream *s, uint64_t start_ns, uint64_t now_ns);

/* A connection of a stream has something. */
void load_stream_event(struct load_conn *c, uint32_t events, uint64_t now_ns);

/* Gives up what is older than the timeout. */
void load_stream_expire(struct load_stream *s, uint64_t now_ns);

/* Nothing scheduled, queued or unanswered any more. */
bool load_stream_finished(const struct load_stream *s);

#endif
