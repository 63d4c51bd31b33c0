/* interval.h: what the writer counts between two reports, and the ring its stalls go through. */
#ifndef WL_INTERVAL_H
#define WL_INTERVAL_H

#include "histogram.h"

#include <stdatomic.h>

/* Counts of one span and class. The list of touched buckets makes a report cost what was measured, not what could be. */
struct wl_counts {
	uint32_t n_touched;
	uint16_t touched[WL_BUCKETS];
	uint32_t counts[WL_BUCKETS];
};
_Static_assert(WL_BUCKETS <= UINT16_MAX, "a bucket's index fits the touched list");

static inline void wl_counts_record(struct wl_counts *c, uint64_t ns)
{
	uint32_t bucket = wl_bucket_of(ns), count = c->counts[bucket];
	if (count == 0)
		c->touched[c->n_touched++] = (uint16_t)bucket;
	/* stops at the top instead of wrapping to an untouched 0: a reader away for 12 h at 100,000/s */
	c->counts[bucket] = count + (count != UINT32_MAX);
}

static inline void wl_counts_clear(struct wl_counts *c)
{
	for (uint32_t i = 0; i < c->n_touched; i++)
		c->counts[c->touched[i]] = 0;
	c->n_touched = 0;
}

/* One of the two sets. It belongs to the writer while active, to the reporter between the writer's answer and the next request. */
struct wl_interval {
	uint64_t begin_ns, end_ns;
	uint64_t next_planned_ns; /* when it was handed over: nothing is counted after it before then */
	uint64_t writes[WL_CLASSES];
	uint64_t written_bytes, skipped_slots, error_slots, gap_slots, gap_ns, stalls, stalls_lost;
	struct wl_write worst[WL_SPANS];
	uint64_t worst_ns[WL_SPANS];
	struct wl_counts histograms[WL_SPANS][WL_CLASSES];
};

static inline void wl_interval_clear(struct wl_interval *set)
{
	for (int span = 0; span < WL_SPANS; span++)
		for (int class = 0; class < WL_CLASSES; class++)
			wl_counts_clear(&set->histograms[span][class]);
	__builtin_memset(set, 0, offsetof(struct wl_interval, histograms));
}

/* Stalls on their way to the reporter: one producer, one consumer, and a producer that never waits. */
struct wl_ring {
	_Alignas(64) _Atomic uint32_t head; /* next to be written; the writer's */
	_Alignas(64) _Atomic uint32_t tail; /* next to be read; the reporter's */
	struct wl_write slots[WL_STALL_RING];
};
_Static_assert((WL_STALL_RING & (WL_STALL_RING - 1)) == 0, "positions wrap at 2^32");

/* 0, or -1 when it is full: the caller counts the loss. */
static inline int wl_ring_push(struct wl_ring *ring, const struct wl_write *write)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	if (head - atomic_load_explicit(&ring->tail, memory_order_acquire) == WL_STALL_RING)
		return -1;
	ring->slots[head % WL_STALL_RING] = *write;
	atomic_store_explicit(&ring->head, head + 1, memory_order_release);
	return 0;
}

/* Moves up to max of them to ret; returns how many. */
static inline uint32_t wl_ring_take(struct wl_ring *ring, struct wl_write *ret, uint32_t max)
{
	uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint32_t n = atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++)
		ret[i] = ring->slots[(tail + i) % WL_STALL_RING];
	atomic_store_explicit(&ring->tail, tail + n, memory_order_release);
	return n;
}

#endif
