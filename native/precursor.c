/* precursor.c: prepares the next segment so that the writer's path neither allocates pages nor buffer heads. */
#include "engine.h"
#include "platform.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

enum {
	PIECE_BYTES = 64 * 1024, /* larger ones make large folios, whose first small write allocates hundreds of buffer heads */
	LOCK_BYTES = 1 << 20,
	LONGEST_PAUSE_NS = 2000000,
	LOOK_NS = 1000000000,
};

static const unsigned char zeros[PIECE_BYTES];

/* One piece. 0 or -errno. */
static int prepare_piece(const struct wl_segment *s, uint64_t at, size_t n, unsigned char *scratch)
{
	ssize_t done;
	if (s->method == WL_PREWARM_READ)
		done = pread(s->fd, scratch, n, (off_t)at);
	else
		done = pwrite(s->fd, zeros, n, (off_t)at);
	if (done < 0)
		return -errno;
	return (size_t)done == n ? 0 : -ENOSPC;
}

static int allocate(const struct wl_segment *s)
{
	if (fallocate(s->fd, 0, 0, (off_t)s->size) == 0)
		return 0;
	/* overwriting with zeros works without */
	if (s->method == WL_PREWARM_WRITE && (errno == EOPNOTSUPP || errno == ENOSYS))
		return 0;
	return -errno;
}

/* Spread over a quarter of the time the writer needs for such a segment: a burst would drain the node's free list at once,
 * which is the very thing that is being watched. */
static uint64_t pause_ns(struct wl_engine *e, const struct wl_segment *s)
{
	struct wl_settings settings = wl_engine_settings(e);
	uint64_t fill_ns = s->size / settings.write_bytes * settings.interval_ns;
	uint64_t pause = fill_ns / 4 / (s->size / PIECE_BYTES + 1);
	return pause > LONGEST_PAUSE_NS ? LONGEST_PAUSE_NS : pause;
}

/* The zeros are not synced. Measured on ext4, 6.18 (8 interleaved runs at 20 us, prepared writes, median of the runs' p50/p99):
 * synced 1.30/6.3 us, left dirty 1.33/5.5 us. Dirty pages cannot be reclaimed, nor lose their buffer heads, before the writer
 * comes; the zeros are mostly overwritten before the flusher looks (30 s), which halves what goes to disk; and until then the
 * extents stay unwritten, so a page lost all the same costs a zero-fill and not a read from the disk. */
static int prepare(struct wl_engine *e, struct wl_segment *s, unsigned char *map, unsigned char *scratch)
{
	uint64_t began = wl_now(), paused = 0, unlocked = 0;
	int error = allocate(s), refused = 0;
	if (error == 0 && s->method == WL_PREWARM_READ)
		error = -posix_fadvise(s->fd, 0, 0, POSIX_FADV_RANDOM); /* no readahead, so no large folios */
	bool fill = s->method != WL_PREWARM_FALLOCATE;
	for (uint64_t at = 0; fill && error == 0 && at < s->size; at += PIECE_BYTES) {
		size_t n = s->size - at < PIECE_BYTES ? s->size - at : PIECE_BYTES;
		if (atomic_load(&s->unwanted) || atomic_load(&e->leaving))
			break;
		error = prepare_piece(s, at, n, scratch);
		if (error)
			break;
		if (map && refused == 0 && (at + n - unlocked >= LOCK_BYTES || at + n == s->size)) {
			refused = mlock(map + unlocked, at + n - unlocked) < 0 ? -errno : 0;
			unlocked = at + n;
		}
		atomic_store_explicit(&s->prepared_pages, (at + n) / e->page_bytes, memory_order_release);
		uint64_t nap = pause_ns(e, s);
		if (nap) {
			wl_sleep_until(wl_now() + nap);
			paused += nap;
		}
	}
	atomic_fetch_add(&e->precursor_busy_ns, wl_now() - began - paused);
	return error ? error : refused;
}

/* Prepared pages are ordinary page cache: under pressure they were written back, reclaimed, and read again from the disk inside the
 * writer's write() (measured: p50 6 -> 85 us, worst 0.5 s; locked: 1.5 us). Locked pages are neither reclaimed nor scanned, so
 * they keep their buffer heads too. In steps of LOCK_BYTES: until 4.15 each mlock() made every CPU empty its LRU batches.
 * What RLIMIT_MEMLOCK does not allow stays unlocked, and is said. The mapping goes when the writer has left the segment: one TLB
 * flush per segment, on the writer's CPU as well. */
static int prepare_and_lock(struct wl_engine *e, struct wl_segment *s, unsigned char *scratch)
{
	void *map = MAP_FAILED;
	size_t size = s->size; /* once it is given back, its place may be taken by another */
	if (s->method == WL_PREWARM_READ || s->method == WL_PREWARM_WRITE)
		map = mmap(NULL, size, PROT_READ, MAP_SHARED, s->fd, 0);
	int error = prepare(e, s, map == MAP_FAILED ? NULL : map, scratch);
	pthread_mutex_lock(&e->segments.lock);
	s->preparing = false;
	atomic_store_explicit(&s->ready, true, memory_order_release);
	if (map != MAP_FAILED && s->state == WL_SEGMENT_LIVE) {
		s->locked = map;
		map = MAP_FAILED;
	}
	pthread_mutex_unlock(&e->segments.lock);
	if (map != MAP_FAILED) /* taken back meanwhile */
		munmap(map, size);
	return error;
}

void wl_segment_unlock_pages(struct wl_segments *all, struct wl_segment *s)
{
	pthread_mutex_lock(&all->lock);
	void *map = s->locked;
	s->locked = NULL;
	pthread_mutex_unlock(&all->lock);
	if (map)
		munmap(map, s->size);
}

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* Linux 6.5, the same on every architecture */
#endif

/* Pages of [at, end) in the page cache, or -1: neither way works here. */
static int64_t resident(struct wl_engine *e, int fd, uint64_t at, uint64_t end)
{
	struct { uint64_t off, len; } range = {at, end - at};
	struct { uint64_t cache, dirty, writeback, evicted, recently_evicted; } stat;
	static unsigned char present[(1u << 30) / 4096];
	if (syscall(SYS_cachestat, fd, &range, &stat, 0) == 0)
		return (int64_t)stat.cache;
	/* before 6.5: no page of this mapping is ever touched, so removing it flushes no TLB on the writer's CPU */
	uint64_t first = at / e->page_bytes * e->page_bytes, pages = (end - first + e->page_bytes - 1) / e->page_bytes;
	void *map = mmap(NULL, end - first, PROT_READ, MAP_SHARED, fd, (off_t)first);
	if (map == MAP_FAILED)
		return -1;
	int64_t count = mincore(map, end - first, present) < 0 ? -1 : 0;
	for (uint64_t i = 0; count >= 0 && i < pages; i++)
		count += present[i] & 1;
	munmap(map, end - first);
	return count;
}

/* Of some pages of [at, end), spread over it: how many are on a known node, and how many of these not on this one. Asks only
 * (move_pages(2) without nodes moves nothing); a page that is not locked is not mapped here, and stays unknown. */
static void look_where(struct wl_engine *e, const unsigned char *map, uint64_t at, uint64_t end, int node, uint32_t *placed, uint32_t *astray)
{
	enum { LOOKED_AT = 32 };
	void *pages[LOOKED_AT];
	int nodes[LOOKED_AT];
	uint64_t first = at / e->page_bytes, count = end / e->page_bytes - first;
	unsigned long n = 0;
	for (; n < LOOKED_AT && n < count; n++)
		pages[n] = (void *)(map + (first + n * count / (count < LOOKED_AT ? count : LOOKED_AT)) * e->page_bytes);
	if (n == 0 || syscall(SYS_move_pages, 0, n, pages, NULL, nodes, 0) < 0)
		return; /* a kernel without nodes */
	for (unsigned long i = 0; i < n; i++) {
		*placed += nodes[i] >= 0;
		*astray += nodes[i] >= 0 && nodes[i] != node;
	}
}

/* How much of what was prepared is still there, and where: of the next segment and of the rest of this one. */
static void look_at_pages(struct wl_engine *e)
{
	struct wl_writer *w = &e->writer;
	uint64_t there = 0, of = 0;
	uint32_t placed = 0, astray = 0;
	int node = atomic_load(&w->node);
	pthread_mutex_lock(&e->segments.lock); /* so that none is closed meanwhile */
	for (int i = 0; i < 2; i++) {
		struct wl_segment *s = atomic_load(i ? &w->shelf.next : &w->shelf.current);
		if (s == NULL || s->state == WL_SEGMENT_FREE)
			continue;
		uint64_t begin = i ? 0 : atomic_load(&w->offset), end = atomic_load(&s->prepared_pages) * e->page_bytes;
		int64_t pages = begin < end ? resident(e, s->fd, begin, end) : 0;
		if (begin < end && pages >= 0) {
			there += (uint64_t)pages;
			of += (end + e->page_bytes - 1) / e->page_bytes - begin / e->page_bytes;
			if (s->locked && node >= 0)
				look_where(e, s->locked, begin, end, node, &placed, &astray);
		}
	}
	pthread_mutex_unlock(&e->segments.lock);
	atomic_store(&e->resident_pages, there);
	atomic_store(&e->resident_of_pages, of);
	atomic_store(&e->placed_pages, placed);
	atomic_store(&e->astray_pages, astray);
}

/* Local memory would be this thread's, which runs on another node where the writer is pinned to all CPUs of its own. */
static void place_memory(struct wl_engine *e)
{
	struct wl_settings s = wl_engine_settings(e);
	int node = atomic_load(&e->writer.node);
	if ((s.policy == WL_POLICY_DEFAULT || s.policy == WL_POLICY_LOCAL) && node >= 0 && node < WL_NODE_WORDS * 64) {
		uint64_t nodes[WL_NODE_WORDS] = {0};
		nodes[node / 64] = 1ull << (node % 64);
		if (wl_place_memory(WL_POLICY_PREFER, nodes) == 0)
			return; /* else a node without memory, or closed to us by a cpuset */
	}
	wl_place_memory(s.policy, s.policy_nodes); /* the writer reports a refusal */
}

/* The next segment to prepare, or NULL after a second without one. */
static struct wl_segment *wait_for_work(struct wl_segments *all)
{
	uint64_t until = wl_now() + LOOK_NS;
	struct timespec t = {.tv_sec = (time_t)(until / WL_NS_PER_S), .tv_nsec = (long)(until % WL_NS_PER_S)};
	pthread_mutex_lock(&all->lock);
	while (all->to_prepare == NULL && !all->leaving && pthread_cond_timedwait(&all->work, &all->lock, &t) == 0)
		;
	struct wl_segment *s = all->to_prepare;
	all->to_prepare = NULL;
	pthread_mutex_unlock(&all->lock);
	return s;
}

void *wl_precursor_main(void *engine)
{
	struct wl_engine *e = engine;
	unsigned char scratch[PIECE_BYTES];
	uint64_t looked_at = 0;
	prctl(PR_SET_NAME, "wlat-precursor");
	atomic_store(&e->precursor_tid, gettid());
	while (!atomic_load(&e->leaving)) {
		struct wl_segment *s = wait_for_work(&e->segments);
		uint32_t cpu = 0, node = 0;
		if (s) {
			place_memory(e);
			atomic_store(&e->refused[WL_REQ_PREWARM], -prepare_and_lock(e, s, scratch));
			wl_place_where(&cpu, &node);
			atomic_store(&e->precursor_cpu, (int)cpu);
			atomic_store(&e->precursor_node, (int)node);
		}
		if (wl_now() >= looked_at + LOOK_NS) {
			look_at_pages(e);
			looked_at = wl_now();
		}
	}
	return NULL;
}
