/* segments.h: the bounded, nameless files being written, and who may touch them when. */
#ifndef WL_SEGMENTS_H
#define WL_SEGMENTS_H

#include "wlat.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { WL_SEGMENTS = 256 }; /* held at once: well under the usual 1024 descriptors */

enum wl_segment_state {
	WL_SEGMENT_FREE,
	WL_SEGMENT_LIVE,    /* next or current */
	WL_SEGMENT_RETIRED, /* written; kept for its page cache, as a log's older files would be */
};

struct wl_segment {
	int fd;
	uint32_t method; /* enum wl_prewarm */
	uint32_t place;  /* wl_engine.place when it was opened */
	uint64_t size;
	_Atomic uint64_t prepared_pages;
	_Atomic uint64_t used_bytes; /* set by the writer when it lets go */
	_Atomic bool ready;          /* the precursor will do no more to it */
	_Atomic bool unwanted;       /* the precursor shall stop */
	/* under wl_segments.lock */
	enum wl_segment_state state;
	uint64_t serial; /* age */
	bool preparing;  /* in the precursor's hands: not to be closed */
	void *locked;    /* its prepared pages, mapped and locked while it is live; NULL: not */
};

/* Between writer and janitor, without locks. The janitor puts a next segment out only when the shelf is empty and has taken
 * in the old ones first, so the writer always finds room to put its old one down. */
enum { WL_SHELF_OLD = 4 };
struct wl_shelf {
	_Atomic(struct wl_segment *) next, current;
	_Atomic(struct wl_segment *) old[WL_SHELF_OLD];
};

struct wl_segments {
	pthread_mutex_t lock; /* janitor, precursor, reporter; never the writer */
	pthread_cond_t work;  /* a segment waits for the precursor */
	int dir_fd;
	struct wl_segment slots[WL_SEGMENTS];
	uint64_t serial;
	struct wl_segment *to_prepare;
	bool leaving;
	int open_error;           /* why there is no next segment, 0 when fine */
	int writeback_error;      /* found by asking, see janitor.c */
	uint64_t writeback_error_ns;
};

/* Opens a nameless file on dir_fd's filesystem: fd or -errno. */
int wl_segment_open(int dir_fd);

struct wl_engine;

/* Opens the first segment. 0 or -errno. */
int wl_segments_open_first(struct wl_engine *engine);

/* Opens segments ahead, retires old ones, watches for trouble, until leaving. */
void *wl_janitor_main(void *engine);

/* Prepares the segments it is given, until leaving. */
void *wl_precursor_main(void *engine);

/* Let reclaim have the segment's pages again. Takes wl_segments.lock. */
void wl_segment_unlock_pages(struct wl_segments *segments, struct wl_segment *segment);

/* How many are held, and the bytes they take. */
void wl_segments_census(struct wl_engine *engine, uint32_t *ret_held, uint64_t *ret_disk_bytes);

/* After all threads have ended. */
void wl_segments_close(struct wl_segments *segments);

#endif
