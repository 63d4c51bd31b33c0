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
	RAW_AT = 44,              /* in a sample without a call chain: IDENTIFIER, TID, TIME, CPU, then the size of the raw data */
	PLENTY_BYTES = 16 * 1024, /* switches of others may be left out beyond it: all stalls of a tick share the room */
	LONG_PARTS = 64,          /* a time on the CPU is long that is more than this part of the span */
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

/* A place in the ring, on the way from the newest record to the oldest. */
struct place {
	uint64_t head, at;
	struct perf_event_header header;
	uint64_t ns;
};

static bool still_there(const struct wl_perf_ring *ring, uint64_t head, uint64_t end)
{
#ifndef __SANITIZE_THREAD__ /* which does not know fences; the other side is the kernel anyway */
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* what was read of the record, then where the head is now */
#endif
	return end - head <= believable(ring, head);
}

/* Whether there is a record, whole and not overwritten yet. */
static bool arrive(const struct wl_perf_ring *ring, struct place *p)
{
	return p->at - p->head < believable(ring, p->head) && look_at(ring, p->at, &p->header, &p->ns) &&
	       still_there(ring, p->head, p->at + p->header.size);
}

static bool fits(const struct wl_perf_ring *ring, const struct wl_perf_span *span, size_t size)
{
	struct place p = {.head = head_of(ring)};
	uint64_t bytes = 0;
	for (p.at = p.head; arrive(ring, &p) && p.ns >= span->from_ns && bytes <= size; p.at += p.header.size)
		bytes += p.ns <= span->to_ns ? p.header.size : 0u;
	return bytes <= size;
}

static bool is_switch(const struct wl_perf_ring *ring, const struct wl_perf_sparing *sparing, const struct place *p)
{
	uint64_t id;
	if (p->header.type != PERF_RECORD_SAMPLE || p->header.size < RAW_AT + sparing->next_tid_at + sizeof(uint32_t))
		return false;
	fetch(ring, p->at + sizeof p->header, &id, sizeof id);
	return id == sparing->id;
}

static bool is_of_others(const struct wl_perf_ring *ring, const struct wl_perf_sparing *sparing, const struct place *p)
{
	uint32_t going, coming;
	fetch(ring, p->at + WL_SAMPLE_TIME_AT - sizeof going, &going, sizeof going);
	fetch(ring, p->at + RAW_AT + sparing->next_tid_at, &coming, sizeof coming);
	return going != sparing->tid && coming != sparing->tid;
}

/* false: it does not fit, or is overwritten by now. */
static bool take(const struct wl_perf_ring *ring, struct wl_perf_span *span, const struct place *p, unsigned char *to, size_t size)
{
	if (span->bytes + p->header.size > size)
		return false;
	fetch(ring, p->at, to + span->bytes, p->header.size);
	if (!still_there(ring, p->head, p->at + p->header.size))
		return false;
	span->bytes += p->header.size;
	return true;
}

void wl_perf_ring_copy(const struct wl_perf_ring *ring, const struct wl_perf_sparing *sparing, struct wl_perf_span *span, unsigned char *to,
		       size_t size)
{
	bool spare = sparing && sparing->id && !fits(ring, span, size < PLENTY_BYTES ? size : PLENTY_BYTES), complete = false;
	uint64_t is_long_ns = (span->to_ns - span->from_ns) / LONG_PARTS, newer_ns = UINT64_MAX;
	struct place p = {.head = head_of(ring)}, held = {0}; /* held: a switch of others, kept if the times before or after it are long */
	span->bytes = span->lost = span->omitted = 0;
	for (p.at = p.head;; p.at += p.header.size) {
		if (!arrive(ring, &p)) {
			complete = 0 - p.head <= ring->bytes && p.at == 0; /* behind the very first record */
			break;
		}
		if (p.ns < span->from_ns) {
			complete = true; /* an older record shows that nothing is missing */
			break;
		}
		if (p.ns > span->to_ns && span->bytes == 0)
			continue;
		bool switches = spare && is_switch(ring, sparing, &p);
		if (held.head && switches && newer_ns - held.ns < is_long_ns && held.ns - p.ns < is_long_ns)
			span->omitted++;
		else if (held.head && !take(ring, span, &held, to, size))
			break;
		if (held.head)
			newer_ns = held.ns;
		held.head = 0;
		if (switches && is_of_others(ring, sparing, &p))
			held = p;
		else if (!take(ring, span, &p, to, size))
			break;
		else
			newer_ns = switches ? p.ns : UINT64_MAX; /* who had the CPU at a record of ours is kept */
	}
	if (held.head && !take(ring, span, &held, to, size))
		complete = false;
	conclude(span, to, complete);
}
