/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hist.h - the log-linear latency histogram both sides share: slot of a value, bounds of a slot. */
#ifndef FORESHAPE_HIST_H
#define FORESHAPE_HIST_H

/*
 * 16 sub-buckets an octave from 2^10 ns (about 1 us) to 2^36 ns (68.7 s); slot 0 is everything
 * below, the last slot everything above. A bucket [a, b) is reported as 2ab / (a + b), which is
 * wrong by at most 1/33 = 3.03 %.
 */
#define FSH_HIST_SUB_BITS  4
#define FSH_HIST_SUB       (1 << FSH_HIST_SUB_BITS)
#define FSH_HIST_MIN_SHIFT 10
#define FSH_HIST_MAX_SHIFT 36
#define FSH_HIST_SLOTS     ((FSH_HIST_MAX_SHIFT - FSH_HIST_MIN_SHIFT) * FSH_HIST_SUB + 2)

/* floor(log2(v)) for v > 0; BPF has no count-leading-zeros before -mcpu=v4. */
static inline __attribute__((always_inline)) unsigned int fsh_log2(unsigned long long v)
{
	unsigned int r = 0, s;

	s = (unsigned int)(v > 0xffffffffULL) << 5;
	v >>= s;
	r |= s;
	s = (unsigned int)(v > 0xffff) << 4;
	v >>= s;
	r |= s;
	s = (unsigned int)(v > 0xff) << 3;
	v >>= s;
	r |= s;
	s = (unsigned int)(v > 0xf) << 2;
	v >>= s;
	r |= s;
	s = (unsigned int)(v > 0x3) << 1;
	v >>= s;
	r |= s;
	return r | (unsigned int)(v >> 1);
}

static inline __attribute__((always_inline)) unsigned int fsh_hist_slot(unsigned long long ns)
{
	unsigned int octave;

	if (ns < (1ULL << FSH_HIST_MIN_SHIFT))
		return 0;
	if (ns >= (1ULL << FSH_HIST_MAX_SHIFT))
		return FSH_HIST_SLOTS - 1;
	octave = fsh_log2(ns);
	return 1 + (octave - FSH_HIST_MIN_SHIFT) * FSH_HIST_SUB +
	       ((unsigned int)(ns >> (octave - FSH_HIST_SUB_BITS)) & (FSH_HIST_SUB - 1));
}

/* The smallest value of @slot in ns; that of @slot + 1 is where the bucket ends. */
static inline __attribute__((always_inline)) unsigned long long fsh_hist_lower(unsigned int slot)
{
	unsigned int octave;

	if (slot == 0)
		return 0;
	octave = (slot - 1) / FSH_HIST_SUB + FSH_HIST_MIN_SHIFT;
	return (unsigned long long)(FSH_HIST_SUB + (slot - 1) % FSH_HIST_SUB)
	       << (octave - FSH_HIST_SUB_BITS);
}

#endif
