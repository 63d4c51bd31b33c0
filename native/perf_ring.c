/* perf_ring.c: reads a ring that the kernel fills backwards and overwrites.
 *
 * data_head runs down from 0: the newest record begins at it, older ones follow upwards, and the oldest are overwritten from the
 * far end. So records are copied from the head on, and afterwards the head says how far the kernel has come meanwhile. */
#include "perf_ring.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	SMALLEST_BYTES = 64 * 1024,
	MARGIN_BYTES = 16 * 1024, /* records under way, reserved but not in data_head yet: ours are below 1 KiB, and nest 4 deep */
};

int wl_perf_ring_map(struct wl_perf_ring *ring, int fd, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int error = EINVAL;
	for (; bytes >= SMALLEST_BYTES && bytes >= page; bytes /= 2) {
		/* without PROT_WRITE the kernel overwrites instead of stopping at data_tail */
		void *mapping = mmap(NULL, page + bytes, PROT_READ, MAP_SHARED, fd, 0);
		if (mapping != MAP_FAILED) {
			*ring = (struct wl_perf_ring){mapping, bytes};
			return 0;
		}
		error = errno;
	}
	return -error;
}

void wl_perf_ring_unmap(struct wl_perf_ring *ring)
{
	if (ring->mapping)
		munmap(ring->mapping, (size_t)sysconf(_SC_PAGESIZE) + ring->bytes);
	ring->mapping = NULL;
}

static uint64_t head_of(const struct wl_perf_ring *ring)
{
	const struct perf_event_mmap_page *control = ring->mapping;
	return __atomic_load_n(&control->data_head, __ATOMIC_ACQUIRE);
}

static void fetch(const struct wl_perf_ring *ring, uint64_t at, void *to, size_t n)
{
	const unsigned char *data = (const unsigned char *)ring->mapping + sysconf(_SC_PAGESIZE);
	size_t begin = at & (ring->bytes - 1), first = ring->bytes - begin < n ? ring->bytes - begin : n;
	memcpy(to, data + begin, first);
	memcpy((unsigned char *)to + first, data, n - first);
}

/* Size of the record here and when it was made; false: there is none that makes sense. */
static bool look_at(const struct wl_perf_ring *ring, uint64_t at, struct perf_event_header *ret, uint64_t *ret_ns)
{
	fetch(ring, at, ret, sizeof *ret);
	if (ret->size % 8 || ret->size < sizeof *ret + WL_SAMPLE_ID_BYTES - 8 || ret->size > ring->bytes)
		return false;
	fetch(ring, at + (ret->type == PERF_RECORD_SAMPLE ? (uint64_t)WL_SAMPLE_TIME_AT : ret->size - WL_SAMPLE_ID_BYTES + 8u), ret_ns,
	      sizeof *ret_ns);
	return true;
}

/* How much of [head, ...) may be believed after the kernel has moved on: ends at the overwritten part, less what is under way. */
static uint64_t believable(const struct wl_perf_ring *ring, uint64_t head)
{
	uint64_t now = head_of(ring), written = 0 - now;
	if (written <= ring->bytes)
		return written - (head - now); /* has not come round yet */
	uint64_t moved = head - now;
	return moved + MARGIN_BYTES > ring->bytes ? 0 : ring->bytes - MARGIN_BYTES - moved;
}

/* Take back records at the old end that were overwritten while they were copied. */
static void trim(struct wl_perf_span *span, const unsigned char *to, uint64_t skipped, uint64_t limit)
{
	size_t kept = 0;
	while (kept < span->bytes) {
		struct perf_event_header header;
		memcpy(&header, to + kept, sizeof header);
		if (header.size == 0 || skipped + kept + header.size > limit)
			break;
		kept += header.size;
	}
	span->bytes = kept;
}

static uint64_t record_ns(const unsigned char *record)
{
	struct perf_event_header header;
	uint64_t ns;
	memcpy(&header, record, sizeof header);
	memcpy(&ns, record + (header.type == PERF_RECORD_SAMPLE ? WL_SAMPLE_TIME_AT : header.size - WL_SAMPLE_ID_BYTES + 8), sizeof ns);
	return ns;
}

/* Totals of what was kept; the oldest of it is where the evidence begins when something older is missing. */
static void conclude(struct wl_perf_span *span, const unsigned char *to, bool complete)
{
	span->oldest_ns = complete ? span->from_ns : span->to_ns;
	for (size_t at = 0; at < span->bytes;) {
		struct perf_event_header header;
		memcpy(&header, to + at, sizeof header);
		if (header.type == PERF_RECORD_LOST) {
			uint64_t lost;
			memcpy(&lost, to + at + 16, sizeof lost);
			span->lost += lost;
		}
		if (!complete)
			span->oldest_ns = record_ns(to + at);
		at += header.size;
	}
}

void wl_perf_ring_copy(const struct wl_perf_ring *ring, struct wl_perf_span *span, unsigned char *to, size_t size)
{
	uint64_t head = head_of(ring), at = head, skipped = 0, limit = believable(ring, head);
	uint64_t proof = 0; /* end of the older record that shows that nothing is missing */
	bool complete = false;
	span->bytes = 0;
	span->lost = 0;
	for (;;) {
		struct perf_event_header header;
		uint64_t ns;
		if (at - head >= limit || !look_at(ring, at, &header, &ns)) {
			complete = 0 - head <= ring->bytes && at == 0; /* the very first record */
			break;
		}
		if (ns < span->from_ns) {
			complete = true;
			proof = at - head + header.size;
			break;
		}
		if (ns > span->to_ns && span->bytes == 0) {
			skipped += header.size;
		} else {
			if (span->bytes + header.size > size)
				break;
			fetch(ring, at, to + span->bytes, header.size);
			span->bytes += header.size;
		}
		at += header.size;
	}
#ifndef __SANITIZE_THREAD__ /* which does not know fences; the other side is the kernel anyway */
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* all of the copy, then where the head is now */
#endif
	limit = believable(ring, head);
	if (at - head > limit || proof > limit)
		complete = false;
	trim(span, to, skipped, limit);
	conclude(span, to, complete);
}
