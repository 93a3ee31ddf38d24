/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * order.h - what the worker asks of the keeper and what comes back: fixed-size plain records over a
 * SOCK_SEQPACKET pair. One order is one packet; each gets exactly one answer with its number;
 * notices come unasked with number 0. Both ends are the same binary, so no byte order, no version.
 */
#ifndef FORESHAPE_ORDER_H
#define FORESHAPE_ORDER_H

#include <stdint.h>

#include "shaping/knob.h"

#define ORDER_MAX_TARGETS 256 /* a target is a service: one cgroup path, one class */
#define ORDER_PATH_MAX    256
#define ORDER_NAME_MAX    64
#define ORDER_IFNAME_MAX  16
#define ORDER_MAX_PORTS   16

/*
 * FORGET and RESTORE are answered when the last guarded shrink ended: before = knobs given back,
 * after = knobs that could not be. They take turns; 64 may wait (else -EBUSY). TARGET with another
 * cgroup than @target has is -EBUSY until that one is forgotten.
 */
enum order_kind {
	ORDER_TARGET,  /* declare or re-declare @target: name, cgroup, make, interface, htb_minor */
	ORDER_FORGET,  /* @target is no longer managed: its baselines go back, then forgotten */
	ORDER_LINK,    /* build the HTB root on @interface with @value bits/s (NLM_F_EXCL) */
	ORDER_SET,     /* @knob of @target to @value, within floor and ceiling */
	ORDER_ADOPT,   /* take @target's yielded knobs back (baseline stays the first one) */
	ORDER_YIELD,   /* let go of @target's knobs without writing; @target NO_TARGET: all */
	ORDER_RESTORE, /* exact baseline of @target back, or of all, which also ends enforcing */
	ORDER_READ, /* answer.after = the value in force of @knob of @target; state and baseline */
	ORDER_ENFORCE,   /* @value 1: SET and classes are allowed; 0: every SET is refused (-EPERM);
			    @name: what the next worker gets as its --mode */
	ORDER_ATTACH,    /* attach the packet programs at @path of the unified hierarchy */
	ORDER_DETACH,    /* take them off @path */
	ORDER_LISTENERS, /* answer.after = listening sockets of @path the programs cannot see */
	ORDER_QUIT,      /* the worker asks the keeper to end: baselines back, both exit */
	ORDER_KIND_COUNT
};

#define ORDER_NO_TARGET UINT32_MAX

enum order_flags {
	ORDER_MAKE = 1,     /* TARGET: create the cgroup in every hierarchy when it is missing */
	ORDER_URGENT = 2,   /* SET: the fast guard's raise; never deferred, never lowers */
	ORDER_SHRINK = 4,   /* SET of memory.max: by the guarded shrink, answered when it ended */
	ORDER_PRIORITY = 8, /* TARGET: packets choose the class (skb->priority) */
};

struct order {
	uint32_t seq; /* from 1 */
	uint16_t kind;
	uint16_t knob;
	uint32_t target; /* < ORDER_MAX_TARGETS; the worker's own numbering */
	uint32_t flags;
	uint64_t value;
	uint64_t floor, ceiling; /* the policy's, for the keeper's own clamp; of a trigger the floor
				    is what must stay */
	uint32_t max_lower_ppm;  /* for the keeper's own clamp */
	uint32_t htb_minor;      /* class 1:minor of this target; 0: none */
	uint64_t cgroup_id;      /* SET: of the unified directory, 0: not checked */
	char name[ORDER_NAME_MAX];
	char path[ORDER_PATH_MAX]; /* cgroup path below each hierarchy's root */
	char interface[ORDER_IFNAME_MAX];
};
_Static_assert(sizeof(struct order) == 392, "plain and fixed");

enum answer_kind {
	ANSWER_ORDER,   /* to order seq */
	NOTICE_FOREIGN, /* somebody else wrote @knob of @target: before, after, pid, uid, comm */
	NOTICE_GONE,    /* @target's cgroup is gone */
	NOTICE_LINK,    /* @interface went away or came back */
	NOTICE_RELOAD,  /* SIGHUP reached the keeper */
	NOTICE_STOP,    /* SIGTERM: finish; the keeper restores once the worker is gone */
};

enum answer_state {
	STATE_BASELINE = 1,  /* the knob was written: baseline is what goes back */
	STATE_YIELDED = 2,   /* somebody else's until adopted */
	STATE_SHRINKING = 4, /* a guarded shrink is under way */
};

struct answer {
	uint32_t seq;
	uint16_t kind;
	uint16_t knob;
	uint32_t target;
	int32_t err; /* 0 or a negative errno */
	uint64_t before, after;
	uint64_t cgroup_id; /* TARGET: of the unified directory; changes when it is recreated */
	uint64_t at_real_ns;
	uint32_t clamped; /* enum clamp_by bits */
	int32_t pid;      /* FOREIGN: who, 0 where unknown */
	uint32_t uid;
	uint32_t hierarchies; /* TARGET: 1 cpu, 2 memory, 4 unified, 8 blkio are there; 16 made by
				 us */
	char comm[16];
	char text[160]; /* one line where errno is not enough */
	uint64_t
		baseline; /* SET, READ: from before the first write; in force where never written */
	uint32_t state;   /* SET, READ: enum answer_state */
	uint32_t pad;
};
_Static_assert(sizeof(struct answer) == 256, "plain and fixed");

/* How the descriptors a worker is started with are numbered. */
enum worker_fd {
	WORKER_FD_ORDERS = 3, /* SOCK_SEQPACKET */
	WORKER_FD_SOCKET,     /* listening control.sock */
	WORKER_FD_LOCK,
	WORKER_FD_POLICIES, /* directory; -1 is encoded by not being open */
	WORKER_FD_ROWS,     /* BPF maps from here on; see agent/probe.h */
	WORKER_FD_END = WORKER_FD_ROWS + 16,
};

#endif
