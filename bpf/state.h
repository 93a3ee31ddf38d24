/* SPDX-License-Identifier: GPL-2.0-or-later */
/* state.h - what the packet programs remember: maps, a socket's state, and the counters'
 * shorthands. */
#ifndef FORESHAPE_STATE_H
#define FORESHAPE_STATE_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define PIPELINE    32   /* requests a socket keeps waiting for their response; a power of two */
#define SKIPPED     512  /* behind those, that it knows to be HEAD or not; as above */
#define WINDOW      64   /* bytes the scanner looks at in one load */
#define QUICK_HEAD  256  /* bytes of a response the cheap path looks at */
#define HELD        4    /* segments a socket keeps until a hole before them is filled */
#define HELD_SLOTS  128  /* of all sockets together */
#define HELD_BYTES  4096 /* of the beginning of one segment */
#define HEAD_MAX    (256 * 1024)
#define REORDER_MAX (1 << 26) /* a segment further ahead than any receive window is none */

enum role {
	ROLE_UNKNOWN, /* owner not looked up in this epoch */
	ROLE_HTTP,    /* a server's connection that is parsed */
	ROLE_MUTE,    /* a server's connection that is not; its bytes are counted as unseen */
	ROLE_LISTENER,
	ROLE_OUTGOING, /* any socket whose requests are not this service's: client, UDP */
	ROLE_UNOWNED,  /* no service's */
};

/* Where the parser of one direction stands. */
enum phase {
	PHASE_START,  /* the next byte begins a message */
	PHASE_LOST,   /* looking for a packet that begins a message */
	PHASE_METHOD, /* request line */
	PHASE_TARGET,
	PHASE_SCHEME,
	PHASE_AUTHORITY,
	PHASE_PATH,
	PHASE_QUERY,
	PHASE_VERSION,
	PHASE_STATUS,    /* status line */
	PHASE_SKIP_LINE, /* the rest of a line of the head */
	PHASE_LINE,      /* first byte of a header line */
	PHASE_NAME,
	PHASE_LENGTH,
	PHASE_CODING,
	PHASE_HEAD_END,
	PHASE_BODY,
	PHASE_CHUNK_SIZE,
	PHASE_CHUNK_EXTENSION,
	PHASE_CHUNK,
	PHASE_CHUNK_END,
	PHASE_TRAILER,
	PHASE_TRAILER_LINE,
	PHASE_TRAILER_END,
	PHASE_UNTIL_CLOSE, /* body up to the end of the connection */
	PHASE_TUNNEL,      /* no HTTP any more, after an upgrade */
};

/* The parser of one direction; each is only touched by the program of that direction. */
struct flow {
	__u32 next;  /* sequence number of the next byte to look at */
	__u8 phase;  /* enum phase */
	__u8 header; /* the one being matched: enum word */
	__u8 matched;
	__u8 chunked;
	__u8 has_length;
	__u8 lost;    /* the message begun was found by resynchronising */
	__u16 status; /* of the response under way */
	__u32 head_bytes;
	__u32 uncounted; /* bytes of this message before its row was known */
	__u64 left;      /* of the body or chunk; also the length being read */
	__u64 word;      /* of the method: its last 8 bytes */
	__u64 at_ns;     /* of the message's first byte */
	__u64 last_ns;   /* of the newest byte */
	/* the packet in hand */
	__u64 now_ns;
	__u32 pos, end;     /* byte offsets in it */
	__u32 begun;        /* offset of this message's first byte; 0: in an earlier packet */
	__u32 length_at;    /* offset from there of the newline before its Content-Length */
	__u32 mark;         /* offset up to which bytes are in uncounted or a row */
	__u32 base, loaded; /* what window holds: [base, base + loaded) */
	__u32 source;       /* 0: the packet; else 1 + slot of the held segment */
	__u8 window[WINDOW + 8];
};

struct pending {
	__u64 at_ns; /* arrival of the request's first byte */
	__u32 row;   /* FSH_ROW_NONE: counted nowhere */
	__u32 method;
};

#define SAME_BYTES 128 /* longest request that is recognised as a repetition */
#define SAME_EVERY 8   /* a connection whose requests differ remembers one in so many */

/* A whole request the cheap path understood: the same bytes again need no second look. */
struct same {
	__u32 n; /* bytes of it; 0: none */
	__u32 row;
	__u32 method;
	__u32 generation; /* of the route table it was matched with */
	__u64 words[SAME_BYTES / 8];
};

/* A segment kept for later: in held_segments[ticket % HELD_SLOTS] while that has the ticket. */
struct held {
	__u32 seq, len, ticket;
};

struct conn {
	__u32 epoch;
	__u16 service;
	__u8 role;
	__u8 internal;
	__u8 fresh; /* seen from its start, nothing understood yet */
	__u8 n_held;
	__u8 opening;          /* its first data is held, and the packet in hand comes after that */
	__u8 followed;         /* http_sockops is told of its end, with the socket locked */
	__u32 skipped;         /* requests that were not queued since the pipeline was full */
	__u32 skips;           /* how many ever were */
	__u32 pushed;          /* requests queued, by ingress */
	__u32 popped_seen;     /* popped as it was some requests ago */
	struct pending newest; /* queued: in the cache line of pushed, for egress on another CPU */
	__u32 row;             /* of the request under way */
	__u32 method;          /* enum fsh_method, of the same */
	__u32 state;           /* of its route walk */
	__u32 generation;
	struct flow in;
	struct same same;
	struct pending queue[PIPELINE];
	__u64 heads[SKIPPED / 64]; /* a bit for each skipped, by skips: its response has no body */
	struct held held[HELD];
	/* What egress writes, on another CPU: a cache line away from what ingress does. */
	__u64 apart[8];
	__u32 popped;  /* requests answered */
	__u32 drained; /* of skips */
	struct flow out;
	__u8 head[QUICK_HEAD + 16]; /* egress: first bytes of the response in hand */
};

struct held_segment {
	__u64 at_ns;
	__u32 ticket;
	__u32 pad;
	__u8 bytes[HELD_BYTES + WINDOW];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

#define ARRAY_MAP(name, value_type, n, flags)                                                      \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(max_entries, n);                                                            \
		__uint(map_flags, flags);                                                          \
		__type(key, __u32);                                                                \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

ARRAY_MAP(rows, struct fsh_row, FSH_MAX_ROWS, BPF_F_MMAPABLE);
ARRAY_MAP(unseen, struct fsh_unseen_row, FSH_MAX_SERVICES, BPF_F_MMAPABLE);
ARRAY_MAP(traffic, struct fsh_traffic, FSH_MAX_SERVICES, BPF_F_MMAPABLE);
ARRAY_MAP(services, struct fsh_service_conf, FSH_MAX_SERVICES, 0);
ARRAY_MAP(config, struct fsh_config, 1, 0);
ARRAY_MAP(held_cursor, __u32, 1, 0);
ARRAY_MAP(held_segments, struct held_segment, HELD_SLOTS, 0);

/* First data that came with the handshake, to the listening socket: held for the new one. */
struct early_key {
	__be32 address[4]; /* the client's */
	__be16 port;
	__be16 local_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HELD_SLOTS);
	__type(key, struct early_key);
	__type(value, struct held);
} early SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fsh_owner_key);
	__type(value, struct fsh_owner);
} owners SEC(".maps");

struct routes_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fsh_route_table);
} routes_a SEC(".maps"), routes_b SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct routes_inner);
} route_tables SEC(".maps") = {.values = {&routes_a}};

#define ADD(field, n) __sync_fetch_and_add(&(field), n)

static __always_inline void count_unseen(__u32 service, __u32 reason, __u64 n)
{
	struct fsh_unseen_row *u = bpf_map_lookup_elem(&unseen, &service);

	if (u && reason < FSH_UNSEEN_COUNT)
		ADD(u->count[reason], n);
}

static __always_inline struct fsh_row *row_of(__u32 row)
{
	return bpf_map_lookup_elem(&rows, &row);
}

static __always_inline struct fsh_route_table *route_table(void)
{
	__u32 zero = 0;
	void *inner = bpf_map_lookup_elem(&route_tables, &zero);

	return inner ? bpf_map_lookup_elem(inner, &zero) : 0;
}

static __always_inline __u32 epoch_now(void)
{
	__u32 zero = 0;
	struct fsh_config *c = bpf_map_lookup_elem(&config, &zero);

	return c ? c->epoch : 0;
}

#endif
