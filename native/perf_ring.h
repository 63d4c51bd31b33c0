/* perf_ring.h: one overwriting perf ring, read only when there is a reason to. */
#ifndef WL_PERF_RING_H
#define WL_PERF_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wl_perf_ring {
	void *mapping; /* a control page, then bytes of records; NULL: none */
	size_t bytes;
};

/* What every record of ours carries. Samples begin IDENTIFIER, IP is not asked for, TID, TIME; others end with TID, TIME, CPU,
 * IDENTIFIER (perf_event_open(2)). */
enum { WL_SAMPLE_TIME_AT = 24, WL_SAMPLE_ID_BYTES = 32 };

/* Map the ring of an event opened with write_backward, of at most this size (a power of two of pages; halved down to 64 KiB
 * while the memory lock limit refuses). 0 or -errno. */
int wl_perf_ring_map(struct wl_perf_ring *ring, int fd, size_t bytes);
void wl_perf_ring_unmap(struct wl_perf_ring *ring);

struct wl_perf_span {
	uint64_t from_ns, to_ns; /* asked for */
	uint64_t oldest_ns;      /* answered: every record since then was found; from_ns when nothing is missing */
	uint64_t lost;           /* records the kernel says it could not put into the ring */
	uint64_t omitted;        /* switches of others that were left out */
	size_t bytes;            /* copied */
};

/* Which records may be left out where not all fit: samples of one event, a switch between two tasks, neither of them ours. */
struct wl_perf_sparing {
	uint64_t id;        /* of the event; 0: none may */
	uint32_t tid;       /* ours */
	uint32_t next_tid_at; /* where its raw data name the task that comes; the sample itself is of the one that goes */
};

/* Copy the records of a span, newest first, to `to`, while the kernel goes on writing: nothing is paused and nothing lost for it.
 * Where they are many, or do not all fit into size, switches of others are left out but for those around the longest times on the CPU. What was
 * overwritten meanwhile, or still does not fit, is left out at the old end and shows in oldest_ns. */
void wl_perf_ring_copy(const struct wl_perf_ring *ring, const struct wl_perf_sparing *sparing, struct wl_perf_span *span, unsigned char *to,
		       size_t size);

#endif
