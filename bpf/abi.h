/* SPDX-License-Identifier: GPL-2.0-or-later */
/* abi.h - the one contract between the packet programs and user space: maps, rows, limits. */
#ifndef FORESHAPE_ABI_H
#define FORESHAPE_ABI_H

#include <linux/types.h>

#include "bpf/hist.h"

#define FSH_MAX_SERVICES 256
#define FSH_MAX_ROWS     2048 /* APIs of all services, "other" rows included */
#define FSH_ROW_NONE     0xffffffffu

/*
 * One row a route and class, in the mmapped array map "rows". Every field only grows; user space
 * subtracts. requests is counted on arrival of the first byte; a response by its final status line
 * (1xx interim ones are counted in interim alone); done when its last byte left; aborted when the
 * connection ended first. In flight = requests - done - aborted.
 */
struct fsh_row {
	/* What ingress adds to; egress runs on another CPU, and a line both write is fought over.
	 */
	__u64 requests;
	__u64 bytes_in; /* TCP payload of requests, without retransmits */
	__u64 apart[6];
	__u64 responses[5]; /* final responses by class: [1] is 2xx; [0] is 101 (upgrades) */
	__u64 done;
	__u64 aborted;
	__u64 interim;
	__u64 upgrades;
	__u64 bytes_out; /* TCP payload of responses, without retransmits */
	__u64 ttfb_sum_ns;
	__u64 total_sum_ns;
	__u32 ttfb_hist[FSH_HIST_SLOTS];
	__u32 total_hist[FSH_HIST_SLOTS];
	/*
	 * Responses that were one packet, whose first byte is as late as their last: each stands
	 * for one more of its class in responses, one done, and one value in both histograms and
	 * sums.
	 */
	__u64 whole[5];
	__u64 whole_sum_ns;
	__u32 whole_hist[FSH_HIST_SLOTS];
	__u32 length_at; /* kernel only: where responses had their Content-Length line last */
	__u32 pad;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct fsh_row) % 64 == 0, "rows share no cache line");

/* Why something was not attributed to an API, one u64 each per service in map "unseen". */
#define FSH_UNSEEN(X)                                                                              \
	X(UNKNOWN_PROTOCOL, "unknown_protocol") /* connections whose first bytes are no HTTP/1 */  \
	X(TLS, "tls")                           /* connections that start a TLS handshake */       \
	X(HTTP2, "http2")                       /* connections that start HTTP/2 in clear */       \
	X(OLDER_CONNECTION, "older_connection") /* connections first seen in mid-stream */         \
	X(OTHER_PORT, "other_port")             /* connections to a port the policy leaves out */  \
	X(INTERNAL, "internal")                 /* requests whose client is in the same service */ \
	X(CLIENT_SIDE, "client_side")           /* connections the service opened itself */        \
	X(GAP, "gap")                           /* data lost to the parser by reordering */        \
	X(RESYNC, "resync")             /* times the parser found the next request again */        \
	X(BAD_REQUEST, "bad_request")   /* request heads that are no HTTP */                       \
	X(BAD_RESPONSE, "bad_response") /* response heads that are no HTTP */                      \
	X(UNEXPECTED_RESPONSE, "unexpected_response") /* responses without a request */            \
	X(PIPELINE_FULL, "pipeline_full") /* requests behind more pending ones than kept */        \
	X(HEAD_TOO_LONG, "head_too_long") /* heads longer than the scanner reads */                \
	X(NO_STATE, "no_state")           /* packets without room for socket state */              \
	X(UPGRADED, "upgraded_bytes")     /* bytes after a protocol upgrade */                     \
	X(BYTES, "bytes")                 /* payload bytes of all of the above */

enum fsh_unseen {
#define X(id, name) FSH_UNSEEN_##id,
	FSH_UNSEEN(X)
#undef X
		FSH_UNSEEN_COUNT
};

struct fsh_unseen_row {
	__u64 count[FSH_UNSEEN_COUNT];
};

/* Map "owners" (hash): whose sockets these are. The nearest ancestor wins; port 0 is every port. */
struct fsh_owner_key {
	__u64 cgroup_id; /* of the unified hierarchy */
	__u16 port;      /* host order, of the listening side */
	__u16 pad[3];
};

struct fsh_owner {
	__u32 service;
	__u32 other_port; /* 1: its packets are this service's, its requests are OTHER_PORT */
};

/* Map "services" (array of FSH_MAX_SERVICES): what the programs know of a service. */
struct fsh_service_conf {
	__u32 active;    /* 0: count nothing */
	__u32 priority;  /* skb->priority of its packets (HTB classid); 0: leave it */
	__u32 other_row; /* row of the unmatched route */
	__u32 since;     /* epoch it was given or came back in: user space ended requests before */
};

/* Map "config" (array of one). */
struct fsh_config {
	__u32 epoch; /* raised after owners changed: sockets look for their owner again; never 0 */
	__u32 pad;
};

/* Per service and direction totals in map "traffic" (array), retransmits included. */
struct fsh_traffic { /* skb->len of every packet the programs saw; a cache line a direction */
	__u64 bytes_in;
	__u64 apart[7];
	__u64 bytes_out;
	__u64 filler[7];
};

/*
 * The route table, value 0 of an inner map of "route_tables" (array of maps, one entry in force).
 * How it is walked: bpf/route.h. State 0 is dead (other). row_of of 0xffffffff means other.
 */
#define FSH_MAX_STATES  16384
#define FSH_MAX_CLASSES 128
#define FSH_CLASS_END   255       /* of the bytes a path ends at */
#define FSH_METHODS     10        /* enum fsh_method */
#define FSH_MAX_NEXT    (1 << 20) /* states << shift actually used */

enum fsh_method {
	FSH_METHOD_OTHER,
	FSH_METHOD_GET,
	FSH_METHOD_HEAD,
	FSH_METHOD_POST,
	FSH_METHOD_PUT,
	FSH_METHOD_DELETE,
	FSH_METHOD_CONNECT,
	FSH_METHOD_OPTIONS,
	FSH_METHOD_TRACE,
	FSH_METHOD_PATCH,
};

struct fsh_route_table {
	__u32 shift;      /* a state has 1 << shift classes */
	__u32 states;     /* in use */
	__u32 generation; /* of this table; a walk that crosses a swap ends as other */
	__u32 pad;
	__u16 start[FSH_MAX_SERVICES][16]; /* by enum fsh_method */
	__u8 class_of[256];
	__u32 row_of[FSH_MAX_STATES];
	__u16 next[FSH_MAX_NEXT];
};

#endif
