/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.h - the parts of HTTP/1 that requests and responses share: header lines, bodies, chunks.
 */
#ifndef FORESHAPE_MESSAGE_H
#define FORESHAPE_MESSAGE_H

#include "bpf/packet.h"
#include "bpf/state.h"

/* Loops are kept from unrolling throughout: unrolled, their spills overflow the BPF stack. */

/*
 * What is matched character by character. One array: small constants of their own land in
 * mergeable sections, which libbpf does not load. A word has 32 characters, so a mask bounds it.
 */
enum word { WORD_LENGTH, WORD_CODING, WORD_CHUNKED, WORD_VERSION };
static const char words[4][32] = {
	[WORD_LENGTH] = "content-length:",
	[WORD_CODING] = "transfer-encoding:",
	[WORD_CHUNKED] = "chunked",
	[WORD_VERSION] = " HTTP/1.. ...", /* a dot behind the first is a digit */
};

static __always_inline __u8 word_at(__u32 word, __u32 at)
{
	return words[word & 3][at & 31];
}

/* What the scanner's steps work on; all that changes lives in the maps it points to. */
struct scan {
	struct __sk_buff *skb;
	struct conn *c;
	struct flow *f;
	struct fsh_route_table *routes;
};

static __always_inline __u8 lower(__u8 b)
{
	return b >= 'A' && b <= 'Z' ? b | 0x20 : b;
}

/* 0x80 in every byte of @word that is a newline; exact up to and including the first. */
static __always_inline __u64 newlines(__u64 word)
{
	__u64 x = word ^ 0x0a0a0a0a0a0a0a0aULL;

	return (x - 0x0101010101010101ULL) & ~x & 0x8080808080808080ULL;
}

/* Index of the first byte marked in @marks, which is not 0. */
static __always_inline __u32 first_marked(__u64 marks)
{
	__u64 below = ((marks & -marks) >> 7) - 1;

	return ((below & 0x0101010101010101ULL) * 0x0101010101010101ULL) >> 56;
}

/* Makes the window hold the byte at f->pos. Returns false when it cannot be read. */
static __always_inline bool window_fill(struct scan *s)
{
	struct flow *f = s->f;
	__u32 left = f->end - f->pos, n = left < WINDOW ? left : WINDOW, pos = f->pos, slot;
	struct held_segment *h;
	long r;

	if (pos - f->base < f->loaded)
		return true;
	if (f->source) {
		slot = f->source - 1;
		h = bpf_map_lookup_elem(&held_segments, &slot);
		if (!h || pos >= HELD_BYTES)
			return false;
#pragma clang loop unroll(disable)
		for (int i = 0; i < WINDOW; i += 8)
			*(__u64 *)(f->window + i) = *(__u64 *)(h->bytes + pos + i);
		r = 0;
	} else {
		r = packet_load(s->skb, pos, f->window, n, WINDOW);
	}
	f->base = pos;
	f->loaded = n;
	return r == 0;
}

/* Steps behind the next newline, or to the end of the window. Returns true at a newline. */
static __always_inline bool skip_line(struct flow *f)
{
	__u32 at = f->pos - f->base;

#pragma clang loop unroll(disable)
	for (int i = 0; i < WINDOW / 8; i++) {
		__u64 marks;

		if (at >= f->loaded)
			break;
		marks = newlines(*(__u64 *)(f->window + (within(at, WINDOW))));
		if (marks) {
			at += first_marked(marks);
			break;
		}
		at += 8;
	}
	if (at >= f->loaded) {
		f->pos = f->base + f->loaded;
		return false;
	}
	f->pos = f->base + at + 1;
	return true;
}

static __always_inline void name_begin(struct flow *f, __u8 b)
{
	f->matched = 0;
	if (b == '\r' || b == '\n')
		f->phase = PHASE_HEAD_END;
	else if (lower(b) == 'c') {
		f->header = WORD_LENGTH;
		f->phase = PHASE_NAME;
	} else if (lower(b) == 't') {
		f->header = WORD_CODING;
		f->phase = PHASE_NAME;
	} else
		f->phase = PHASE_SKIP_LINE;
}

static __always_inline void name_step(struct flow *f, __u8 b)
{
	if (lower(b) != word_at(f->header, f->matched)) {
		f->phase = PHASE_SKIP_LINE;
		return;
	}
	f->pos++;
	f->matched++;
	if (word_at(f->header, f->matched))
		return;
	f->matched = 0;
	if (f->header == WORD_LENGTH) {
		f->left = 0;
		f->length_at = f->pos - f->begun - sizeof("content-length:");
	}
	f->phase = f->header == WORD_LENGTH ? PHASE_LENGTH : PHASE_CODING;
}

static __always_inline void length_step(struct flow *f, __u8 b)
{
	f->pos++;
	if (b >= '0' && b <= '9') {
		f->left = f->left * 10 + (b - '0');
		f->has_length = 1;
	} else if (b == '\n')
		f->phase = PHASE_LINE;
	else if (b != ' ' && b != '\t' && b != '\r')
		f->phase = PHASE_SKIP_LINE;
}

/* Only the last transfer coding counts; 8 stands for one that is not "chunked". */
static __always_inline void coding_step(struct flow *f, __u8 b)
{
	f->pos++;
	if (b == '\n') {
		f->chunked = f->matched == 7;
		f->phase = PHASE_LINE;
	} else if (b == ',')
		f->matched = 0;
	else if (b != ' ' && b != '\t' && b != '\r')
		f->matched = f->matched < 7 && lower(b) == word_at(WORD_CHUNKED, f->matched)
				     ? f->matched + 1
				     : 8;
}

/* Reads a chunk's size line. Returns false when it is none. */
static __always_inline bool chunk_size_step(struct flow *f, __u8 b)
{
	__u8 l = lower(b);

	f->pos++;
	if (b == '\n') {
		f->phase = f->left ? PHASE_CHUNK : PHASE_TRAILER;
		return f->matched;
	}
	if (b == '\r' || b == ' ')
		return true;
	if (b == ';') {
		f->phase = PHASE_CHUNK_EXTENSION;
		return true;
	}
	if (l >= 'a' && l <= 'f')
		l -= 'a' - 10;
	else if (b >= '0' && b <= '9')
		l -= '0';
	else
		return false;
	f->left = f->left << 4 | l;
	f->matched = 1;
	return !(f->left >> 56);
}

static __always_inline void chunk_size_begin(struct flow *f)
{
	f->phase = PHASE_CHUNK_SIZE;
	f->left = 0;
	f->matched = 0;
}

/* Steps over what is in hand of the body or chunk. Returns true when that was its last byte. */
static __always_inline bool body_skip(struct flow *f)
{
	__u32 n = f->end - f->pos;

	if (f->left < n)
		n = f->left;
	f->pos += n;
	f->left -= n;
	return !f->left;
}

enum outcome { WENT_ON, HEAD_ENDED, MESSAGE_ENDED, BROKEN };

/* One step of a message behind its first line, with @b the byte at f->pos (phases that look). */
static __always_inline enum outcome message_step(struct flow *f, __u8 b)
{
	switch (f->phase) {
	case PHASE_SKIP_LINE:
		if (skip_line(f))
			f->phase = PHASE_LINE;
		return WENT_ON;
	case PHASE_LINE:
		name_begin(f, b);
		return WENT_ON;
	case PHASE_NAME:
		name_step(f, b);
		return WENT_ON;
	case PHASE_LENGTH:
		length_step(f, b);
		return WENT_ON;
	case PHASE_CODING:
		coding_step(f, b);
		return WENT_ON;
	case PHASE_HEAD_END:
		f->pos++;
		if (b == '\n')
			return HEAD_ENDED;
		return b == '\r' ? WENT_ON : BROKEN;
	case PHASE_CHUNK_SIZE:
		return chunk_size_step(f, b) ? WENT_ON : BROKEN;
	case PHASE_CHUNK_EXTENSION:
		if (skip_line(f))
			f->phase = f->left ? PHASE_CHUNK : PHASE_TRAILER;
		return WENT_ON;
	case PHASE_CHUNK_END:
		f->pos++;
		if (b == '\n')
			chunk_size_begin(f);
		return b == '\n' || b == '\r' ? WENT_ON : BROKEN;
	case PHASE_TRAILER:
		f->phase = b == '\r' || b == '\n' ? PHASE_TRAILER_END : PHASE_TRAILER_LINE;
		return WENT_ON;
	case PHASE_TRAILER_LINE:
		if (skip_line(f))
			f->phase = PHASE_TRAILER;
		return WENT_ON;
	case PHASE_TRAILER_END:
		f->pos++;
		if (b == '\n')
			return MESSAGE_ENDED;
		return b == '\r' ? WENT_ON : BROKEN;
	}
	return BROKEN;
}

/* Bodies need no byte to be looked at. Returns true when the phase was one of a body. */
static __always_inline bool body_step(struct flow *f, enum outcome *ret)
{
	*ret = WENT_ON;
	if (f->phase == PHASE_BODY) {
		if (body_skip(f))
			*ret = MESSAGE_ENDED;
		return true;
	}
	if (f->phase == PHASE_CHUNK) {
		if (body_skip(f))
			f->phase = PHASE_CHUNK_END;
		return true;
	}
	if (f->phase == PHASE_LOST || f->phase == PHASE_TUNNEL || f->phase == PHASE_UNTIL_CLOSE) {
		f->pos = f->end;
		return true;
	}
	return false;
}

static __always_inline void message_begin(struct flow *f)
{
	f->at_ns = f->now_ns;
	f->begun = f->pos;
	f->head_bytes = 0;
	f->matched = 0;
	f->chunked = 0;
	f->has_length = 0;
	f->left = 0;
	f->word = 0;
}

/* Puts @f to work on @len bytes at @pos of the packet (@source 0) or of held segment @source - 1.
 */
static __always_inline void flow_feed(struct flow *f, __u32 pos, __u32 end, __u32 source,
				      __u64 now_ns)
{
	f->pos = f->mark = pos;
	f->end = end;
	f->base = f->loaded = 0;
	f->begun = 0;
	f->source = source;
	f->now_ns = now_ns;
	if (f->phase == PHASE_LOST) {
		f->phase = PHASE_START;
		f->lost = 1;
	}
}

/* Bytes looked at since this was asked last. */
static __always_inline __u32 flow_consumed(struct flow *f)
{
	__u32 n = f->pos - f->mark;

	f->mark = f->pos;
	f->head_bytes += n;
	return n;
}

#endif
