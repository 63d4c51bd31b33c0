/* tracer.h: what the kernel says about the writer, kept in overwriting rings and looked at only when there was a stall.
 *
 * Best: events on each CPU the writer may use, filtered to it. They cost nothing when it is switched, and show who else ran there.
 * Without the right to watch whole CPUs, or with too many of them: events of the thread itself, fewer of them, because each is
 * paid for at every switch (2.2 us + 0.25 us per event). Where tracefs is closed too: where in the kernel it was when it was
 * switched out. Without any rights: when that was. */
#ifndef WL_TRACER_H
#define WL_TRACER_H

#include "perf_ring.h"
#include "place.h"
#include "trace_events.h"

#include <pthread.h>

enum { WL_TRACE_CPUS = 64 };

/* One CPU, or the thread wherever it is. */
struct wl_trace_target {
	int cpu; /* -1: the thread */
	bool on;
	int leader; /* holds the ring; -1: could not be opened, and is not tried again */
	uint64_t since_ns;
	int fds[WL_PROBES];
	uint64_t ids[WL_PROBES];
	struct wl_perf_ring ring;
};

struct wl_tracer {
	pthread_mutex_t lock; /* control and reporter thread; never the writer */
	pid_t tid;
	uint32_t mode; /* enum wl_trace_mode, in force */
	bool whole_cpus, cpus_refused, raw;
	int error; /* of the leader, when there is none */
	int errors[WL_PROBES];
	_Atomic uint32_t version; /* changes with what wl_tracer_describe says */
	uint32_t n_targets;
	struct wl_trace_target *targets;
};

int wl_tracer_init(struct wl_tracer *t, pid_t tid);

/* Watch the thread on these CPUs in this mode from now on; NULL: on those it may use now. Quick when nothing has changed. */
void wl_tracer_follow(struct wl_tracer *t, const struct wl_cpus *cpus, uint32_t mode);

/* A struct wl_trace and its records for one stall, at most room bytes of both. 0: nothing is traced, or there is no room. */
size_t wl_tracer_copy(struct wl_tracer *t, const struct wl_write *stall, uint64_t interval_ns, unsigned char *to, size_t room);

/* struct wl_tracer_head, its probes, and their formats: at most WL_TRACER_BYTES. *ret_version tells this state from others. */
size_t wl_tracer_describe(struct wl_tracer *t, unsigned char *to, uint32_t *ret_version);

void wl_tracer_close(struct wl_tracer *t);

#endif
