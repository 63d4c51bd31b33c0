/* janitor.c: opens the next segment ahead of the writer, keeps old ones as long as there is room, closes them when not. */
#include "engine.h"
#include "platform.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum {
	SHORTEST_NAP_NS = 1000000,
	LONGEST_NAP_NS = 250000000,
	PROBE_NS = 1000000000,
};

static int open_named(int dir_fd)
{
	uint64_t random[2];
	char name[64];
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	snprintf(name, sizeof name, ".wlat-%016llx%016llx", (unsigned long long)random[0], (unsigned long long)random[1]);
	int fd = openat(dir_fd, name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	unlinkat(dir_fd, name, 0);
	return fd;
}

/* O_TMPFILE: the file never has a name, so nothing is left whatever happens. Where the filesystem cannot (nfs, older overlay),
 * a random name that exists for microseconds. */
int wl_segment_open(int dir_fd)
{
	struct stat dir;
	int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	int error = errno;
	/* in a removed directory ext4 says EPERM (ext4_new_inode), others ENOENT */
	if (fstat(dir_fd, &dir) == 0 && dir.st_nlink == 0)
		return -ENOENT;
	return error == EOPNOTSUPP || error == EISDIR || error == EINVAL ? open_named(dir_fd) : -error;
}

static uint64_t disk_bytes(const struct wl_engine *e, const struct wl_segment *s)
{
	if (s->method != WL_PREWARM_OFF)
		return s->size;
	if (s->state == WL_SEGMENT_RETIRED)
		return atomic_load(&s->used_bytes);
	return atomic_load(&e->writer.shelf.current) == s ? atomic_load(&e->writer.offset) : 0;
}

void wl_segments_census(struct wl_engine *e, uint32_t *ret_held, uint64_t *ret_disk_bytes)
{
	*ret_held = 0;
	*ret_disk_bytes = 0;
	pthread_mutex_lock(&e->segments.lock);
	for (int i = 0; i < WL_SEGMENTS; i++) {
		const struct wl_segment *s = &e->segments.slots[i];
		if (s->state != WL_SEGMENT_FREE) {
			++*ret_held;
			*ret_disk_bytes += disk_bytes(e, s);
		}
	}
	pthread_mutex_unlock(&e->segments.lock);
}

/* The oldest retired segment that the precursor has let go of. Lock held. */
static struct wl_segment *oldest_retired(struct wl_segments *all)
{
	struct wl_segment *oldest = NULL;
	for (int i = 0; i < WL_SEGMENTS; i++) {
		struct wl_segment *s = &all->slots[i];
		if (s->state == WL_SEGMENT_RETIRED && !s->preparing && (oldest == NULL || s->serial < oldest->serial))
			oldest = s;
	}
	return oldest;
}

/* Closing frees the blocks and drops the page cache of the file. False when there is none to close. */
static bool close_oldest(struct wl_segments *all)
{
	pthread_mutex_lock(&all->lock);
	struct wl_segment *s = oldest_retired(all);
	int fd = s ? s->fd : -1;
	if (s)
		s->state = WL_SEGMENT_FREE;
	pthread_mutex_unlock(&all->lock);
	if (fd >= 0)
		close(fd); /* outside the lock: truncating 64 MiB takes a while */
	return fd >= 0;
}

static void take_in_retired(struct wl_engine *e)
{
	for (int i = 0; i < WL_SHELF_OLD; i++) {
		struct wl_segment *s = atomic_exchange(&e->writer.shelf.old[i], NULL);
		if (s) {
			pthread_mutex_lock(&e->segments.lock);
			s->state = WL_SEGMENT_RETIRED;
			pthread_mutex_unlock(&e->segments.lock);
			wl_segment_unlock_pages(&e->segments, s);
		}
	}
}

/* What the held segments may come to: live ones count whole. */
static uint64_t committed_bytes(struct wl_engine *e, uint32_t *ret_held)
{
	uint64_t bytes = 0;
	*ret_held = 0;
	pthread_mutex_lock(&e->segments.lock);
	for (int i = 0; i < WL_SEGMENTS; i++) {
		const struct wl_segment *s = &e->segments.slots[i];
		if (s->state != WL_SEGMENT_FREE)
			++*ret_held;
		if (s->state == WL_SEGMENT_LIVE)
			bytes += s->size;
		else if (s->state == WL_SEGMENT_RETIRED)
			bytes += disk_bytes(e, s);
	}
	pthread_mutex_unlock(&e->segments.lock);
	return bytes;
}

/* Space an ordinary user could still take on this filesystem, less what must stay free; -errno in *ret_error. */
static int64_t space_to_spare(struct wl_engine *e, uint64_t size, int *ret_error)
{
	struct statfs fs;
	*ret_error = fstatfs(e->segments.dir_fd, &fs) < 0 ? -errno : 0;
	if (*ret_error)
		return 0;
	uint64_t floor = (uint64_t)fs.f_blocks / 20 * (uint64_t)fs.f_bsize;
	if (floor < 2 * size)
		floor = 2 * size;
	return (int64_t)((uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize) - (int64_t)floor;
}

/* Close retired segments until one more of this size fits under the limit and leaves the filesystem its reserve.
 * 0, or -ENOSPC: not even without them are two segments left, and the last of a disk is not wlat's to take. */
static int make_room(struct wl_engine *e, uint64_t size, uint64_t limit)
{
	uint32_t held;
	int error;
	while ((committed_bytes(e, &held) + size > limit || held >= WL_SEGMENTS) && close_oldest(&e->segments))
		;
	if (committed_bytes(e, &held) + size > limit || held >= WL_SEGMENTS)
		return -EAGAIN; /* the precursor still holds one, or the limit was lowered: soon */
	while (space_to_spare(e, size, &error) < 0 && error == 0 && close_oldest(&e->segments))
		;
	if (error)
		return error;
	struct statfs fs;
	if (fstatfs(e->segments.dir_fd, &fs) == 0 && (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize < 2 * size)
		return -ENOSPC;
	return 0;
}

static int open_next(struct wl_engine *e, const struct wl_settings *settings)
{
	struct wl_segments *all = &e->segments;
	uint64_t size = settings->prewarm == WL_PREWARM_OFF ? settings->segment_bytes : settings->prewarm_bytes;
	int fd = make_room(e, size, settings->disk_limit_bytes);
	if (fd == 0)
		fd = wl_segment_open(all->dir_fd);
	if (fd < 0)
		return fd;
	pthread_mutex_lock(&all->lock);
	struct wl_segment *s = all->slots;
	while (s->state != WL_SEGMENT_FREE)
		s++; /* make_room saw to it that there is one */
	s->fd = fd;
	s->method = settings->prewarm;
	s->place = e->place;
	s->size = size;
	s->state = WL_SEGMENT_LIVE;
	s->serial = all->serial++;
	s->locked = NULL;
	s->preparing = s->method != WL_PREWARM_OFF;
	atomic_store(&s->prepared_pages, 0);
	atomic_store(&s->used_bytes, 0);
	atomic_store(&s->unwanted, false);
	atomic_store(&s->ready, !s->preparing);
	if (s->preparing) {
		all->to_prepare = s;
		pthread_cond_signal(&all->work);
	}
	pthread_mutex_unlock(&all->lock);
	/* at once, finished or not: a writer that is fast takes it as far as it is prepared */
	atomic_store_explicit(&e->writer.shelf.next, s, memory_order_release);
	return 0;
}

int wl_segments_open_first(struct wl_engine *e)
{
	struct wl_settings settings = wl_engine_settings(e);
	settings.prewarm = WL_PREWARM_OFF; /* to begin at once; a prepared one follows as soon as there is one */
	return open_next(e, &settings);
}

/* The writer has not taken it: take it back (it is closed in its turn, once the precursor lets go). */
static void withdraw_next(struct wl_engine *e)
{
	struct wl_segment *s = atomic_exchange(&e->writer.shelf.next, NULL);
	if (s == NULL)
		return;
	atomic_store(&s->unwanted, true);
	pthread_mutex_lock(&e->segments.lock);
	s->state = WL_SEGMENT_RETIRED;
	atomic_store(&s->used_bytes, 0);
	s->serial = 0; /* first to go */
	if (e->segments.to_prepare == s) {
		e->segments.to_prepare = NULL;
		s->preparing = false;
	}
	pthread_mutex_unlock(&e->segments.lock);
	wl_segment_unlock_pages(&e->segments, s);
}

/* Writeback errors do not come out of write(); asking must not start I/O. sync_file_range with only WAIT_BEFORE on one page
 * waits for that page's writeback at most and returns the file's errseq (fs/sync.c, file_fdatawait_range, since 4.14).
 * An fsync would tell too, but commits the journal under the writer. */
static void probe_writeback(struct wl_engine *e)
{
	struct wl_segments *all = &e->segments;
	for (int i = 0; i < WL_SEGMENTS; i++) {
		pthread_mutex_lock(&all->lock);
		int fd = all->slots[i].state == WL_SEGMENT_RETIRED ? all->slots[i].fd : -1;
		pthread_mutex_unlock(&all->lock);
		/* only the janitor closes, so fd stays good outside the lock */
		if (fd >= 0 && sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WAIT_BEFORE) < 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT)) {
			int error = errno;
			pthread_mutex_lock(&all->lock);
			all->writeback_error = error;
			all->writeback_error_ns = wl_now();
			pthread_mutex_unlock(&all->lock);
		}
	}
}

/* After EIO, EROFS and the like the file may be beyond help: give the writer a fresh one to try. */
static void tend_trouble(struct wl_engine *e)
{
	int error = atomic_load(&e->writer.error);
	if (atomic_load(&e->writer.trouble) != WL_WRITE_FAILED)
		return;
	if (error == ENOSPC || error == EDQUOT)
		close_oldest(&e->segments);
	else if (atomic_load(&e->writer.shelf.next))
		atomic_fetch_or(&e->writer.attention, WL_ATTEND_SWITCH);
}

/* Whether it is of the kind asked for, its pages prepared where the writer is now wanted. */
static bool fits(const struct wl_engine *e, const struct wl_segment *s, const struct wl_settings *settings)
{
	return s->method == settings->prewarm && (s->place == e->place || s->method == WL_PREWARM_OFF);
}

/* The writer tells its node when it hands over: the one after the next surely comes from where it was sent. A writer that may go
 * from node to node and does so by itself is not followed. */
static void tend_place(struct wl_engine *e)
{
	if (atomic_load(&e->writer.swaps) - atomic_load(&e->places_swaps) >= 2)
		e->place = atomic_load(&e->places);
}

/* When the kind of segment asked for has changed, the writer goes there as soon as one is ready. */
static void tend_next(struct wl_engine *e, const struct wl_settings *settings)
{
	struct wl_segment *next = atomic_load(&e->writer.shelf.next), *current = atomic_load(&e->writer.shelf.current);
	if (next && current && !fits(e, next, settings)) /* the first one is for the writer to begin with, whatever it is */
		withdraw_next(e);
	take_in_retired(e);
	if (atomic_load(&e->writer.shelf.next) == NULL) {
		int error = open_next(e, settings);
		pthread_mutex_lock(&e->segments.lock);
		e->segments.open_error = error == -EAGAIN ? 0 : -error;
		pthread_mutex_unlock(&e->segments.lock);
	}
	/* only the janitor changes next from one to another; the writer can only have taken it meanwhile */
	next = atomic_load(&e->writer.shelf.next);
	if (next && current && !fits(e, current, settings) && atomic_load(&next->ready))
		atomic_fetch_or(&e->writer.attention, WL_ATTEND_SWITCH);
}

/* Often enough to be back several times per segment, and quickly while something is wrong. */
static uint64_t nap_ns(struct wl_engine *e, const struct wl_settings *s)
{
	uint64_t size = s->prewarm == WL_PREWARM_OFF ? s->segment_bytes : s->prewarm_bytes;
	uint64_t fill_ns = size / s->write_bytes * s->interval_ns;
	uint64_t nap = fill_ns / 8;
	struct wl_segment *current = atomic_load(&e->writer.shelf.current);
	if (atomic_load(&e->writer.shelf.next) == NULL || (current && !fits(e, current, s)))
		nap = 20 * SHORTEST_NAP_NS < nap ? 20 * SHORTEST_NAP_NS : nap;
	return nap < SHORTEST_NAP_NS ? SHORTEST_NAP_NS : nap > LONGEST_NAP_NS ? LONGEST_NAP_NS : nap;
}

void *wl_janitor_main(void *engine)
{
	struct wl_engine *e = engine;
	uint64_t probe_at = wl_now() + PROBE_NS;
	int placed_node = -1;
	prctl(PR_SET_NAME, "wlat-janitor");
	atomic_store(&e->janitor_tid, gettid());
	while (!atomic_load(&e->leaving)) {
		struct wl_settings settings = wl_engine_settings(e);
		tend_trouble(e);
		tend_place(e);
		tend_next(e, &settings);
		int node = atomic_load(&e->writer.node);
		if (node >= 0 && node != placed_node) {
			wl_engine_place_threads(e);
			placed_node = node;
		}
		if (wl_now() >= probe_at) {
			probe_writeback(e);
			probe_at = wl_now() + PROBE_NS;
		}
		wl_nap_until(e, wl_now() + nap_ns(e, &settings));
	}
	return NULL;
}

void wl_segments_close(struct wl_segments *all)
{
	for (int i = 0; i < WL_SEGMENTS; i++)
		if (all->slots[i].state != WL_SEGMENT_FREE)
			close(all->slots[i].fd);
}
