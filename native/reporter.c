/* reporter.c: one wl_tick per tick_ns on out_fd. A reader that does not read costs nothing but its own view: the writer's
 * interval simply goes on until somebody takes it, so no count is lost and nothing is merged twice. */
#include "engine.h"
#include "platform.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum {
	INFLIGHT_NS = 1000000,        /* younger ones are not worth a line */
	SWAP_PATIENCE_NS = 20000000,  /* a writer that answers later is reported without numbers, on time */
	NUDGE_MARGIN_NS = 2000000,    /* a sleeping writer is not woken closer than this before its next write */
	TROUBLE_SHOWN_NS = 10000000,  /* x 1000: how long a writeback error stays visible */
	LAST_WORDS_NS = 100000000,    /* for the final report, when nobody may be reading any more */
	LOOK_NS = 200000000,          /* how soon after a stall its records are saved from being overwritten: 1 MiB lasts longer */
	LEAST_TRACE_BYTES = 4096,     /* a trace cut to less than this is not worth its place */
};

struct report {
	struct wl_engine *engine;
	unsigned char *message;
	size_t bytes, sent; /* bytes == sent: nothing under way */
	uint64_t seq, begin_ns, boottime_lead_ns, suspended_ns;
	uint64_t next_planned_ns; /* of the writer, when it handed the last interval over */
	uint64_t empty_until_ns;  /* reported without numbers because there were none */
	uint32_t taken;           /* intervals taken from the writer */

	unsigned char *evidence; /* n_traces wl_trace with their records, for the next message */
	size_t evidence_bytes;
	uint32_t n_traces, examined; /* examined: place in the writer's ring of the first stall without a trace */
	uint64_t traces_lost;
	uint32_t tracer_version; /* of the description sent last */
};

/* The largest message: everything touched and a full ring. Reserved, not used: pages come with the first byte. */
static size_t largest_message(void)
{
	size_t histogram = sizeof(struct wl_histogram_head) + WL_BUCKETS * sizeof(struct wl_bucket);
	return sizeof(struct wl_tick) + WL_STALL_RING * sizeof(struct wl_write) + WL_SPANS * WL_CLASSES * histogram + WL_TRACE_BYTES +
	       WL_TRACER_BYTES;
}

/* CLOCK_BOOTTIME runs on while the machine is suspended, CLOCK_MONOTONIC does not. */
static void note_suspend(struct report *r)
{
	uint64_t now = wl_now(), lead = wl_clock_ns(CLOCK_BOOTTIME) - now; /* in this order: never below zero */
	if (lead > r->boottime_lead_ns + INFLIGHT_NS)
		r->suspended_ns += lead - r->boottime_lead_ns;
	r->boottime_lead_ns = lead;
}

/* What is in the kernel at the end of the reported span: a write begun after it belongs to the next report. */
static struct wl_write inflight(struct wl_engine *e, uint64_t end)
{
	struct wl_writer *w = &e->writer;
	struct wl_write write = {.begin_ns = atomic_load_explicit(&w->begin_ns, memory_order_acquire)};
	write.planned_ns = atomic_load(&w->planned_ns);
	write.offset = atomic_load(&w->offset);
	write.class = atomic_load(&w->class);
	write.segment = atomic_load(&w->number);
	write.cpu = (uint32_t)atomic_load(&w->cpu);
	if (atomic_load(&w->queued))
		write.backlog = (uint32_t)((write.begin_ns - write.planned_ns) / wl_engine_settings(e).interval_ns) + 1;
	bool same = write.begin_ns == atomic_load(&w->begin_ns);
	if (!same || write.begin_ns == 0 || write.begin_ns + INFLIGHT_NS > end)
		return (struct wl_write){0};
	return write;
}

static void describe_writer(struct wl_engine *e, struct wl_tick *t)
{
	struct wl_writer *w = &e->writer;
	clockid_t clock;
	struct sched_param param = {0};
	t->settings_seq = atomic_load(&w->settings_seq);
	t->writer_tid = atomic_load(&e->writer_tid);
	t->writer_cpu = atomic_load(&w->cpu);
	t->writer_node = atomic_load(&w->node);
	t->sched_policy = sched_getscheduler(t->writer_tid) & ~SCHED_RESET_ON_FORK;
	sched_getparam(t->writer_tid, &param);
	t->sched_priority = param.sched_priority;
	for (int i = 0; i < WL_REQUESTS; i++)
		t->refused[i] = atomic_load(&e->refused[i]);
	t->refused[WL_REQ_POLICY] = atomic_load(&w->policy_refused);
	if (!atomic_load(&e->writer_gone) && pthread_getcpuclockid(e->writer_thread, &clock) == 0)
		t->writer_cpu_ns = wl_clock_ns(clock);
	t->engine_cpu_ns = wl_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - e->cpu_base_ns;
	t->clock_ns = e->clock_ns;
}

static void describe_trouble(struct wl_engine *e, struct wl_tick *t, uint64_t now)
{
	struct wl_writer *w = &e->writer;
	t->trouble = atomic_load(&w->trouble);
	t->error = atomic_load(&w->error);
	t->trouble_since_ns = t->trouble ? atomic_load(&w->trouble_since_ns) : 0;
	pthread_mutex_lock(&e->segments.lock);
	if (t->trouble == WL_NO_SEGMENT)
		t->error = e->segments.open_error;
	if (t->trouble == WL_FINE && e->segments.writeback_error && now < e->segments.writeback_error_ns + 1000ull * TROUBLE_SHOWN_NS) {
		t->trouble = WL_WRITE_FAILED; /* write() itself went well: no error_slots */
		t->error = e->segments.writeback_error;
		t->trouble_since_ns = e->segments.writeback_error_ns;
	}
	pthread_mutex_unlock(&e->segments.lock);
}

static void describe_files(struct wl_engine *e, struct wl_tick *t)
{
	struct wl_writer *w = &e->writer;
	struct wl_segment *current = atomic_load(&w->shelf.current), *next = atomic_load(&w->shelf.next);
	t->segment = atomic_load(&w->number);
	t->segment_offset = atomic_load(&w->offset);
	t->page_bytes = (uint32_t)e->page_bytes;
	wl_segments_census(e, &t->segments_held, &t->disk_bytes);
	/* slots of a fixed table: a segment replaced meanwhile gives a stale number, never a stray one */
	pthread_mutex_lock(&e->segments.lock);
	t->segment_size = current ? current->size : 0;
	t->prewarm = current ? current->method : WL_PREWARM_OFF;
	pthread_mutex_unlock(&e->segments.lock);
	if (current) {
		uint64_t prepared = atomic_load(&current->prepared_pages), used = t->segment_offset / t->page_bytes;
		t->prepared_ahead_pages = prepared > used ? prepared - used : 0;
	}
	if (next)
		t->prepared_ahead_pages += atomic_load(&next->prepared_pages);
	t->precursor_late = atomic_load(&w->late);
	t->precursor_tid = atomic_load(&e->precursor_tid);
	t->precursor_cpu = atomic_load(&e->precursor_cpu);
	t->precursor_node = atomic_load(&e->precursor_node);
	t->resident_pages = atomic_load(&e->resident_pages);
	t->resident_of_pages = atomic_load(&e->resident_of_pages);
	t->precursor_busy_ns = atomic_load(&e->precursor_busy_ns);
	t->placed_pages = atomic_load(&e->placed_pages);
	t->astray_pages = atomic_load(&e->astray_pages);
}

static size_t append_histograms(struct wl_tick *t, struct wl_interval *set, unsigned char *at)
{
	size_t bytes = 0;
	for (uint16_t span = 0; span < WL_SPANS; span++) {
		for (uint16_t class = 0; class < WL_CLASSES; class++) {
			struct wl_counts *c = &set->histograms[span][class];
			struct wl_histogram_head head = {span, class, c->n_touched};
			if (head.n == 0)
				continue;
			memcpy(at + bytes, &head, sizeof head);
			bytes += sizeof head;
			for (uint32_t i = 0; i < head.n; i++, bytes += sizeof(struct wl_bucket)) {
				struct wl_bucket bucket = {c->touched[i], c->counts[c->touched[i]]};
				memcpy(at + bytes, &bucket, sizeof bucket);
			}
			t->n_histograms++;
		}
	}
	return bytes;
}

/* Save what the kernel said about the stalls that have come since, whether or not their interval is reported soon. */
static void examine(struct report *r)
{
	struct wl_ring *ring = &r->engine->writer.ring;
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire), tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t interval_ns = head == r->examined ? 0 : wl_engine_settings(r->engine).interval_ns;
	if ((int32_t)(r->examined - tail) < 0)
		r->examined = tail;
	for (; r->examined != head; r->examined++) {
		size_t room = WL_TRACE_BYTES - r->evidence_bytes;
		if (room > WL_STALL_TRACE_BYTES)
			room = WL_STALL_TRACE_BYTES;
		if (room < LEAST_TRACE_BYTES) {
			r->traces_lost++;
			continue;
		}
		size_t bytes = wl_tracer_copy(&r->engine->tracer, &ring->slots[r->examined % WL_STALL_RING], interval_ns,
					      r->evidence + r->evidence_bytes, room);
		r->evidence_bytes += bytes;
		r->n_traces += bytes > 0;
	}
}

static size_t append_evidence(struct report *r, struct wl_tick *t, unsigned char *at)
{
	size_t bytes = r->evidence_bytes;
	memcpy(at, r->evidence, bytes);
	t->n_traces = r->n_traces;
	t->traces_lost = r->traces_lost;
	r->evidence_bytes = r->n_traces = 0;
	r->traces_lost = 0;
	if (r->tracer_version != r->engine->tracer.version) {
		t->tracer_bytes = (uint32_t)wl_tracer_describe(&r->engine->tracer, at + bytes, &r->tracer_version);
		bytes += t->tracer_bytes;
	}
	return bytes;
}

/* set: the interval to report and empty, or NULL when the writer has not answered. */
static void compose(struct report *r, struct wl_interval *set)
{
	struct wl_engine *e = r->engine;
	uint64_t now = wl_now();
	struct wl_tick t = {.magic = WL_TICK_MAGIC, .seq = r->seq, .begin_ns = r->begin_ns, .end_ns = now};
	if (set == NULL && r->empty_until_ns > r->begin_ns)
		t.end_ns = r->empty_until_ns;
	if (set) {
		r->next_planned_ns = set->next_planned_ns;
		/* the writer ends an interval ahead of time; at the very end that time does not come any more */
		t.end_ns = set->end_ns < now ? set->end_ns : now;
		t.begin_ns = set->begin_ns > r->empty_until_ns ? set->begin_ns : r->empty_until_ns;
		if (t.begin_ns > t.end_ns)
			t.begin_ns = t.end_ns;
		memcpy(t.writes, set->writes, sizeof t.writes);
		memcpy(t.worst, set->worst, sizeof t.worst);
		t.written_bytes = set->written_bytes;
		t.skipped_slots = set->skipped_slots;
		t.error_slots = set->error_slots;
		t.gap_slots = set->gap_slots;
		t.gap_ns = set->gap_ns;
		t.stalls = set->stalls;
		t.stalls_lost = set->stalls_lost;
	}
	t.gap_ns += r->suspended_ns;
	r->suspended_ns = 0;
	t.wall_ns = wl_clock_ns(CLOCK_REALTIME) - (now - t.end_ns);
	t.inflight = inflight(e, t.end_ns);
	describe_writer(e, &t);
	describe_trouble(e, &t, now);
	describe_files(e, &t);
	examine(r);
	size_t bytes = sizeof t;
	if (set) {
		/* those of this interval come first in the ring; the next one's may follow already */
		uint64_t listed = set->stalls - set->stalls_lost;
		t.n_stalls = wl_ring_take(&e->writer.ring, (struct wl_write *)(void *)(r->message + bytes), (uint32_t)listed);
		bytes += t.n_stalls * sizeof(struct wl_write);
		bytes += append_histograms(&t, set, r->message + bytes);
		wl_interval_clear(set);
	}
	bytes += append_evidence(r, &t, r->message + bytes);
	t.bytes = (uint32_t)bytes;
	memcpy(r->message, &t, sizeof t);
	r->begin_ns = t.end_ns;
	r->bytes = bytes;
	r->sent = 0;
}

/* Send what the reader takes until a moment. 0, or -errno when there is no reader any more. */
static int drain(struct report *r, uint64_t until)
{
	while (r->sent < r->bytes) {
		ssize_t n = write(r->engine->out_fd, r->message + r->sent, r->bytes - r->sent);
		if (n > 0) {
			r->sent += (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		uint64_t now = wl_now();
		if (now >= until)
			return 0;
		examine(r);
		struct pollfd out = {.fd = r->engine->out_fd, .events = POLLOUT};
		poll(&out, 1, (int)((until - now > LOOK_NS ? LOOK_NS : until - now) / 1000000 + 1));
	}
	return 0;
}

/* The interval the writer has handed over and nobody has taken yet. */
static struct wl_interval *answered(struct report *r)
{
	struct wl_writer *w = &r->engine->writer;
	uint32_t swaps = atomic_load_explicit(&w->swaps, memory_order_acquire);
	return swaps == r->taken ? NULL : &w->sets[r->taken % 2];
}

/* Since it handed over, the writer has been waiting for a plan that comes after this moment. */
static bool nothing_until(struct report *r, uint64_t ns)
{
	uint64_t planned = atomic_load(&r->engine->writer.planned_ns);
	return planned == r->next_planned_ns && planned > ns;
}

/* It went to sleep, for long, before it was asked: it shall look around. Asked again until it answers, for it may be on its way
 * into the sleep. */
static void nudge(struct wl_engine *e, uint64_t now)
{
	if (atomic_load(&e->writer.begin_ns) || atomic_load(&e->writer.planned_ns) < now + NUDGE_MARGIN_NS)
		return;
	atomic_fetch_or_explicit(&e->writer.attention, WL_ATTEND_HAND_OVER, memory_order_release);
	syscall(SYS_tgkill, getpid(), atomic_load(&e->writer_tid), SIGCONT);
}

/* What the writer has handed over by a moment; it does so with the last write before it. A little patience for one that is late. */
static struct wl_interval *await_answer(struct report *r, uint64_t asked_for)
{
	uint64_t interval = wl_engine_settings(r->engine).interval_ns, now = wl_now(), until = now + SWAP_PATIENCE_NS;
	uint64_t step = interval / 2 + 50000 < 1000000 ? interval / 2 + 50000 : 1000000;
	struct wl_interval *set = answered(r);
	if (set == NULL && nothing_until(r, asked_for)) {
		r->empty_until_ns = asked_for;
		return NULL;
	}
	for (; set == NULL && now < until && !atomic_load(&r->engine->leaving); set = answered(r), now = wl_now()) {
		nudge(r->engine, now);
		wl_sleep_until(now + step);
	}
	return set;
}

static void nap(struct report *r, uint64_t until)
{
	uint64_t now;
	while ((now = wl_now()) < until && !atomic_load(&r->engine->leaving)) {
		wl_nap_until(r->engine, until - now > LOOK_NS ? now + LOOK_NS : until);
		examine(r);
	}
}

static void take(struct report *r, struct wl_interval *set)
{
	compose(r, set);
	if (set)
		r->taken++;
}

/* The writer is gone: what it handed over and what it had not. */
static void last_words(struct report *r)
{
	struct wl_writer *w = &r->engine->writer;
	uint64_t until = wl_now() + LAST_WORDS_NS;
	if (drain(r, until) < 0 || r->sent < r->bytes)
		return;
	struct wl_interval *set = answered(r);
	if (set) {
		take(r, set);
		r->seq++;
		if (drain(r, until) < 0 || r->sent < r->bytes)
			return;
	}
	compose(r, &w->sets[r->taken % 2]);
	drain(r, until);
}

void *wl_reporter_main(void *engine)
{
	struct wl_engine *e = engine;
	struct report r = {.engine = e, .message = malloc(largest_message()), .evidence = malloc(WL_TRACE_BYTES), .begin_ns = wl_now()};
	bool able = r.message && r.evidence;
	uint64_t tick = wl_engine_settings(e).tick_ns, due = r.begin_ns + tick;
	prctl(PR_SET_NAME, "wlat-reporter");
	atomic_store(&e->reporter_tid, gettid());
	r.boottime_lead_ns = wl_clock_ns(CLOCK_BOOTTIME) - r.begin_ns;
	while (able && !atomic_load(&e->leaving)) {
		if (drain(&r, due) < 0)
			break; /* the reader is gone: in_fd ends too, the control thread sees it */
		if (r.taken == atomic_load(&e->writer.swaps) && r.sent == r.bytes)
			atomic_store_explicit(&e->writer.swap_at_ns, due, memory_order_release);
		nap(&r, due);
		if (atomic_load(&e->leaving))
			break;
		note_suspend(&r);
		wl_tracer_follow(&e->tracer, NULL, wl_engine_settings(e).trace); /* somebody may have moved the writer */
		if (r.sent == r.bytes)
			take(&r, await_answer(&r, due));
		r.seq++;
		uint64_t now = wl_now(), fresh = wl_engine_settings(e).tick_ns;
		/* on its own raster; after a stop or a changed tick, on a new one */
		due = fresh == tick && due + 2 * tick > now ? due + tick : now + fresh;
		tick = fresh;
	}
	while (!atomic_load(&e->writer_gone) && able)
		wl_sleep_until(wl_now() + 1000000);
	if (able)
		last_words(&r);
	free(r.message);
	free(r.evidence);
	return NULL;
}
