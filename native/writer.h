/* writer.h: the thread that is measured. Everything shared with it is an atomic or has one owner at a time. */
#ifndef WL_WRITER_H
#define WL_WRITER_H

#include "interval.h"
#include "segments.h"

#include <pthread.h>
#include <signal.h>

enum wl_attention {
	WL_ATTEND_ORDERS = 1, /* new wl_orders */
	WL_ATTEND_SWITCH = 2, /* go to the next segment now */
	WL_ATTEND_LEAVE = 4,
	WL_ATTEND_HAND_OVER = 8, /* do not sleep on what you have counted: the interval is wanted now */
};

/* What the writer has to do by itself when settings change; the rest is done to it from outside. */
struct wl_orders {
	uint64_t seq, interval_ns;
	uint32_t write_bytes, mode, policy;
	uint64_t policy_nodes[WL_NODE_WORDS];
};

enum { WL_MAX_WRITE_BYTES = 1 << 20 };

struct wl_writer {
	/* read on every turn, written a few times per second at most */
	_Alignas(64) _Atomic uint64_t swap_at_ns; /* the reporter wants the interval to end here; UINT64_MAX: no wish */
	_Atomic uint64_t threshold_ns;
	_Atomic uint32_t attention;
	volatile sig_atomic_t continued; /* SIGCONT arrived; set by its handler on this very thread */
	_Atomic uint64_t resumed_ns;     /* the control thread saw the whole process come back from a stop */

	/* published around every write, so that one stuck in the kernel can be seen from outside */
	_Alignas(64) _Atomic uint64_t begin_ns; /* 0: not in write() */
	_Atomic uint64_t planned_ns, offset;
	_Atomic uint32_t class;
	_Atomic bool queued; /* it was due before the one before it had ended */

	_Alignas(64) _Atomic uint32_t swaps; /* intervals handed over so far; the last is sets[(swaps - 1) % 2] */
	_Atomic uint64_t settings_seq;
	_Atomic uint32_t number; /* of the segment being written */
	_Atomic int cpu, node;
	_Atomic uint32_t trouble, late;
	_Atomic int error, policy_refused;
	_Atomic uint64_t trouble_since_ns;
	struct wl_shelf shelf; /* segments: where the next one comes from and the old one goes */

	/* the writer's own */
	_Alignas(64) uint64_t interval_ns, planned, position, last_end;
	uint32_t write_bytes, mode, active;
	struct wl_segment *segment;
	int process, fd; /* own_files.h: where files are taken from, and the segment's own number here */
	uint64_t fresh_page, prepared_pages, page_bytes;
	struct wl_orders orders; /* under orders_lock; the writer only tries the lock, and only when told */
	pthread_mutex_t orders_lock;

	struct wl_interval sets[2];
	struct wl_ring ring;
	unsigned char *buffer; /* room for the longest write, present and locked as far as a write ever went */
	uint32_t buffer_bytes; /* so far; the control thread's */
};

/* Ready to run: both sets empty, nothing planned. The memory is zeroed. -errno where there is no room for the buffer. */
int wl_writer_prepare(struct wl_writer *w, uint64_t page_bytes);

/* Gives the buffer back. */
void wl_writer_discard(struct wl_writer *w);

/* Schedule, wait, write and record until told to leave. */
void wl_writer_loop(struct wl_writer *w);

/* What it shall do from now on. Returns 0, or the errno with which locking a longer buffer was refused. */
int wl_writer_order(struct wl_writer *w, const struct wl_settings *settings);

/* The SIGCONT handler: runs on the writer because every other thread blocks the signal. */
void wl_writer_continued(int signal);

#endif
