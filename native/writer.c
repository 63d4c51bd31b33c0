/* writer.c: the thread that is measured: wait, clock, write, clock, record. */
#include "writer.h"

#ifdef WL_PLATFORM
#include WL_PLATFORM
#else
#include "platform.h"
#endif
#include "place.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

enum {
	RETRY_NS = 100000000,     /* after a failed write: ext4 forces a journal commit per ENOSPC, so not at 5,000/s */
	SUSPECT_NS = 10000000,    /* with SIGCONT: a sample longer than this may span a stop */
	FROZEN_NS = 100000000,    /* without SIGCONT (cgroup freezer, debugger): only samples this long are looked at */
	CONFIRM_STEP_NS = 50000,  /* waiting for the control thread's word that the process was stopped */
	CONFIRM_STEPS = 40,       /* 2 ms in all, spent only after a sample of 10 ms or more */
	BACKLOG_NS = 1000000000,  /* more than this behind: the rest is given up */
};

static struct wl_writer *signalled; /* for the handler; one engine per process */

void wl_writer_continued(int signal)
{
	(void)signal;
	if (signalled)
		signalled->continued = 1;
}

#define relaxed_load(what) atomic_load_explicit(&(what), memory_order_relaxed)
#define relaxed_store(what, value) atomic_store_explicit(&(what), (value), memory_order_relaxed)

int wl_writer_prepare(struct wl_writer *w, uint64_t page_bytes)
{
	w->buffer = mmap(NULL, WL_MAX_WRITE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (w->buffer == MAP_FAILED)
		return -errno;
	w->page_bytes = page_bytes;
	w->swap_at_ns = UINT64_MAX;
	w->threshold_ns = UINT64_MAX;
	w->cpu = w->node = -1;
	w->process = w->fd = -1;
	pthread_mutex_init(&w->orders_lock, NULL);
	signalled = w;
	return 0;
}

void wl_writer_discard(struct wl_writer *w)
{
	munmap(w->buffer, WL_MAX_WRITE_BYTES);
}

/* Before the writer is told of longer writes. */
static int extend_buffer(struct wl_writer *w, uint32_t bytes)
{
	if (bytes <= w->buffer_bytes)
		return 0;
	memset(w->buffer + w->buffer_bytes, 'w', bytes - w->buffer_bytes);
	w->buffer_bytes = bytes;
	return mlock(w->buffer, bytes) < 0 ? errno : 0;
}

int wl_writer_order(struct wl_writer *w, const struct wl_settings *settings)
{
	int refused = extend_buffer(w, settings->write_bytes);
	relaxed_store(w->threshold_ns, settings->threshold_ns);
	pthread_mutex_lock(&w->orders_lock);
	w->orders = (struct wl_orders){.seq = settings->seq, .interval_ns = settings->interval_ns,
				       .write_bytes = settings->write_bytes, .mode = settings->mode, .policy = settings->policy};
	memcpy(w->orders.policy_nodes, settings->policy_nodes, sizeof w->orders.policy_nodes);
	pthread_mutex_unlock(&w->orders_lock);
	atomic_fetch_or_explicit(&w->attention, WL_ATTEND_ORDERS, memory_order_release);
	return refused;
}

static void trouble_begin(struct wl_writer *w, enum wl_trouble trouble, int error, uint64_t now)
{
	if (relaxed_load(w->trouble) == WL_FINE)
		relaxed_store(w->trouble_since_ns, now);
	relaxed_store(w->error, error);
	relaxed_store(w->trouble, trouble);
}

/* The slots from planned to a little after now are lost to the trouble; the schedule itself does not move. */
static void trouble_wait(struct wl_writer *w, uint64_t now)
{
	uint64_t until = (now > w->planned ? now : w->planned) + RETRY_NS;
	uint64_t slots = (until - w->planned) / w->interval_ns + 1;
	w->sets[w->active].error_slots += slots;
	w->planned += slots * w->interval_ns;
}

/* Go on to the next segment if there is one. */
static bool rotate(struct wl_writer *w, bool may_be_late)
{
	struct wl_segment *next = atomic_exchange_explicit(&w->shelf.next, NULL, memory_order_acq_rel), *old = w->segment;
	if (next == NULL)
		return false;
	if (may_be_late && !atomic_load_explicit(&next->ready, memory_order_acquire))
		relaxed_store(w->late, relaxed_load(w->late) + 1);
	relaxed_store(next->unwanted, true);
	w->prepared_pages = atomic_load_explicit(&next->prepared_pages, memory_order_acquire);
	uint64_t used = w->position;
	if (old)
		wl_files_drop(w->process, w->fd);
	w->fd = wl_files_take(w->process, next->fd);
	w->fresh_page = 0;
	w->position = 0;
	w->segment = next;
	relaxed_store(w->offset, 0);
	if (old)
		relaxed_store(w->number, relaxed_load(w->number) + 1);
	atomic_store_explicit(&w->shelf.current, next, memory_order_release);
	if (old)
		relaxed_store(old->used_bytes, used);
	for (int i = 0; old && i < WL_SHELF_OLD; i++) {
		if (relaxed_load(w->shelf.old[i]) == NULL) {
			atomic_store_explicit(&w->shelf.old[i], old, memory_order_release);
			break;
		}
	}
	return true;
}

static void obey_orders(struct wl_writer *w, uint64_t now)
{
	if (pthread_mutex_trylock(&w->orders_lock) != 0) {
		atomic_fetch_or_explicit(&w->attention, WL_ATTEND_ORDERS, memory_order_relaxed);
		return;
	}
	struct wl_orders orders = w->orders;
	pthread_mutex_unlock(&w->orders_lock);
	if (orders.interval_ns != w->interval_ns)
		w->planned = now + orders.interval_ns;
	w->interval_ns = orders.interval_ns;
	w->write_bytes = orders.write_bytes;
	w->mode = orders.mode;
	relaxed_store(w->policy_refused, wl_place_memory(orders.policy, orders.policy_nodes));
	atomic_store_explicit(&w->settings_seq, orders.seq, memory_order_release);
}

/* Hand this interval to the reporter, which emptied the other one before it asked. It ends at the wished moment also when that is
 * still to come: nothing more is due before. */
static void swap_sets(struct wl_writer *w, uint64_t wish)
{
	uint32_t swaps = relaxed_load(w->swaps), cpu = 0, node = 0;
	uint64_t end = w->last_end > wish ? w->last_end : wish;
	w->sets[w->active].end_ns = end;
	w->sets[w->active].next_planned_ns = w->planned;
	w->active ^= 1;
	w->sets[w->active].begin_ns = end;
	wl_place_where(&cpu, &node);
	relaxed_store(w->cpu, (int)cpu);
	relaxed_store(w->node, (int)node);
	relaxed_store(w->swap_at_ns, UINT64_MAX);
	atomic_store_explicit(&w->swaps, swaps + 1, memory_order_release);
}

/* The rare turns on which somebody wants something; false: leave. */
static bool attend(struct wl_writer *w, uint64_t now)
{
	uint32_t wanted = atomic_exchange_explicit(&w->attention, 0, memory_order_acquire);
	uint64_t wish = atomic_load_explicit(&w->swap_at_ns, memory_order_acquire);
	if (wanted & WL_ATTEND_ORDERS)
		obey_orders(w, now);
	if (wanted & WL_ATTEND_SWITCH)
		rotate(w, false);
	if (wanted & WL_ATTEND_HAND_OVER && wish != UINT64_MAX)
		swap_sets(w, wish);
	return !(wanted & WL_ATTEND_LEAVE);
}

static void wait_for_plan(struct wl_writer *w)
{
	uint64_t planned = w->planned;
	if (w->mode == WL_SPIN) {
		while (wl_now() < planned && !(relaxed_load(w->attention) & (WL_ATTEND_LEAVE | WL_ATTEND_HAND_OVER)))
			wl_relax();
		return;
	}
	/* no clock read between waking and the one that is recorded, unless a signal cut the sleep short */
	if (w->last_end < planned)
		wl_sleep_until(planned);
}

/* Was the whole process stopped or frozen during a sample that began at since? Only the control thread can tell: a stop
 * interrupts its epoll_wait, a bare SIGCONT does not (signal(7), "Interruption of system calls by stop signals"). */
static bool was_stopped(struct wl_writer *w, uint64_t since, uint64_t busy)
{
	bool continued = w->continued;
	w->continued = 0;
	if (busy < (continued ? SUSPECT_NS : FROZEN_NS))
		return false;
	for (int i = 0; i < CONFIRM_STEPS; i++) {
		if (atomic_load_explicit(&w->resumed_ns, memory_order_acquire) > since)
			return true;
		wl_sleep_until(wl_now() + CONFIRM_STEP_NS);
	}
	return false;
}

struct sample {
	uint64_t begin, end, offset;
	uint32_t class;
	bool queued; /* behind an earlier write, still under way when this one was due */
};

static void describe(const struct wl_writer *w, const struct sample *s, struct wl_write *ret)
{
	*ret = (struct wl_write){
		.planned_ns = w->planned, .begin_ns = s->begin, .end_ns = s->end, .offset = s->offset,
		.segment = relaxed_load(w->number), .class = s->class, .cpu = (uint32_t)sched_getcpu(),
		.backlog = s->queued ? (uint32_t)((s->begin - w->planned) / w->interval_ns) + 1 : 0,
	};
}

static void record(struct wl_writer *w, const struct sample *s)
{
	struct wl_interval *set = &w->sets[w->active];
	uint64_t spans[WL_SPANS] = {s->begin - w->planned, s->end - s->begin, s->end - w->planned};
	set->writes[s->class]++;
	for (int span = 0; span < WL_SPANS; span++) {
		wl_counts_record(&set->histograms[span][s->class], spans[span]);
		if (spans[span] > set->worst_ns[span] || set->worst[span].begin_ns == 0) {
			set->worst_ns[span] = spans[span];
			describe(w, s, &set->worst[span]);
		}
	}
	/* a write that only waited for a slow one is its victim, not one more stall: 10 ms at 200 us would count 46 times */
	if (spans[s->queued ? WL_SERVICE : WL_RESPONSE] > relaxed_load(w->threshold_ns)) {
		struct wl_write stall;
		describe(w, s, &stall);
		set->stalls++;
		if (wl_ring_push(&w->ring, &stall) < 0)
			set->stalls_lost++;
	}
}

/* After a finished write: note it, plan the next one. */
static void account(struct wl_writer *w, const struct sample *s)
{
	struct wl_interval *set = &w->sets[w->active];
	uint64_t since = w->planned > w->last_end ? w->planned : w->last_end; /* when the writer was last free to act */
	uint64_t busy = s->end - since;
	if (__builtin_expect((w->continued || busy >= FROZEN_NS) && was_stopped(w, since, busy), 0)) {
		/* until now, not until s->end: the stop may have come after that was read */
		uint64_t now = wl_now();
		set->gap_ns += now - since;
		set->gap_slots += (now - w->planned) / w->interval_ns + 1;
		w->planned = now + w->interval_ns;
	} else {
		record(w, s);
		w->planned += w->interval_ns;
		if (s->end > w->planned && s->end - w->planned > BACKLOG_NS) {
			uint64_t skipped = (s->end - w->planned - BACKLOG_NS) / w->interval_ns;
			set->skipped_slots += skipped;
			w->planned += skipped * w->interval_ns;
		}
	}
	set->written_bytes += w->write_bytes;
	w->last_end = s->end;
}

/* One write at the current plan. */
static void write_once(struct wl_writer *w)
{
	struct sample s = {.offset = w->position, .queued = w->last_end > w->planned};
	uint64_t last_page = (s.offset + w->write_bytes - 1) / w->page_bytes;
	s.class = last_page < w->fresh_page ? WL_IN_PAGE : last_page < w->prepared_pages ? WL_PREPARED : WL_NEW_PAGE;
	relaxed_store(w->offset, s.offset);
	relaxed_store(w->class, s.class);
	relaxed_store(w->queued, s.queued);
	relaxed_store(w->planned_ns, w->planned);
	wait_for_plan(w);

	s.begin = wl_now();
	if (__builtin_expect(s.begin < w->planned, 0)) /* woken early by a signal: look around, come back */
		return;
	atomic_store_explicit(&w->begin_ns, s.begin, memory_order_release);
	ssize_t n = wl_put(w->fd, w->buffer, w->write_bytes);
	s.end = wl_now();
	int error = errno;
	atomic_store_explicit(&w->begin_ns, 0, memory_order_release);

	if (__builtin_expect(n != (ssize_t)w->write_bytes, 0)) {
		/* a regular file's write comes back short when space ran out part way; the next try names the reason */
		if (n > 0) {
			w->position += (uint64_t)n;
			w->sets[w->active].written_bytes += (uint64_t)n;
			w->fresh_page = (w->position + w->page_bytes - 1) / w->page_bytes;
		}
		trouble_begin(w, WL_WRITE_FAILED, n < 0 ? error : ENOSPC, s.end);
		trouble_wait(w, s.end);
		w->last_end = s.end;
		return;
	}
	if (__builtin_expect(relaxed_load(w->trouble) != WL_FINE, 0)) {
		relaxed_store(w->error, 0);
		relaxed_store(w->trouble, WL_FINE);
	}
	w->position += w->write_bytes;
	w->fresh_page = last_page + 1;
	account(w, &s);
}

/* No file to write to: let the slot pass. */
static void idle_once(struct wl_writer *w)
{
	trouble_begin(w, WL_NO_SEGMENT, 0, w->last_end);
	relaxed_store(w->planned_ns, w->planned);
	wait_for_plan(w);
	w->last_end = wl_now();
	if (w->last_end >= w->planned) {
		w->sets[w->active].error_slots++;
		w->planned += w->interval_ns;
	}
}

void wl_writer_loop(struct wl_writer *w)
{
	bool waiting = false; /* for a segment; its lateness is counted once */
	w->last_end = wl_now();
	w->sets[0].begin_ns = w->last_end;
	w->planned = w->last_end + WL_NS_PER_S / 1000;
	for (;;) {
		if (relaxed_load(w->attention) && !attend(w, w->last_end))
			break;
		uint64_t wish = atomic_load_explicit(&w->swap_at_ns, memory_order_acquire);
		if (w->planned >= wish || w->last_end >= wish)
			swap_sets(w, wish);
		if ((w->segment == NULL || w->position + w->write_bytes > w->segment->size) && !rotate(w, !waiting && w->segment)) {
			if (!waiting && w->segment)
				relaxed_store(w->late, relaxed_load(w->late) + 1);
			waiting = true;
			idle_once(w);
			continue;
		}
		waiting = false;
		write_once(w);
	}
	w->sets[w->active].end_ns = wl_now();
}
