/* tracer.c: opens the events, follows the writer from CPU to CPU, copies what belongs to a stall. */
#include "tracer.h"
#include "platform.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	RING_BYTES = 1 << 20,       /* of one CPU or thread: some 10,000 records */
	MANY_CPUS = 16,             /* beyond so many, rings are smaller */
	SMALL_RING_BYTES = 1 << 18,
	BEFORE_NS = 1000000,        /* a stall's evidence begins so long before its plan ... */
	MOST_BEFORE_NS = 20000000,  /* ... or one interval, but not more than this: since the write before it */
	AFTER_NS = 200000,
	STACK_FRAMES = 48,
	SPARE_FILES = 256,
};

static long perf_event_open(struct perf_event_attr *attr, pid_t tid, int cpu)
{
	return syscall(SYS_perf_event_open, attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static struct perf_event_attr common_attr(void)
{
	return (struct perf_event_attr){.size = sizeof(struct perf_event_attr), .sample_period = 1, .sample_id_all = 1, .use_clockid = 1,
					.clockid = CLOCK_MONOTONIC, .write_backward = 1, .watermark = 1, .wakeup_watermark = UINT32_MAX,
					.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CPU};
}

/* The event that holds the ring. On a thread it also notes every switch; on a CPU sched_switch does that, at no cost to others. */
static int open_leader(struct wl_tracer *t, int cpu)
{
	struct perf_event_attr attr = common_attr();
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.context_switch = cpu < 0;
	long fd = perf_event_open(&attr, cpu < 0 ? t->tid : -1, cpu);
	if (fd < 0 && errno == EACCES && cpu < 0) {
		attr.exclude_kernel = 1; /* all that perf_event_paranoid 2 leaves */
		fd = perf_event_open(&attr, t->tid, -1);
	}
	return fd < 0 ? -errno : (int)fd;
}

static int set_filter(struct wl_tracer *t, int fd, const struct wl_trace_event *event, int cpu)
{
	char text[128];
	if (event->filter == NULL && cpu < 0)
		return 0; /* the thread's own events */
	snprintf(text, sizeof text, event->filter ? event->filter : "common_pid == %d", t->tid);
	return ioctl(fd, PERF_EVENT_IOC_SET_FILTER, text) < 0 ? -errno : 0;
}

static bool is_wanted(const struct wl_tracer *t, const struct wl_trace_event *event)
{
	return t->mode == WL_TRACE_DEEP ||
	       (t->mode != WL_TRACE_OFF && (event->tier == WL_TIER_ALWAYS || (event->tier == WL_TIER_CHEAP && t->whole_cpus)));
}

static bool has_chain(const struct wl_tracer *t, const struct wl_trace_event *event)
{
	return event->chain && t->mode != WL_TRACE_PLAIN;
}

/* Without the number of its tracepoint a switch can still be seen leaving, with its chain but no fields: the software event of the
 * same place needs no tracefs, only perf_event_paranoid 1. */
static bool stood_in_for(const struct wl_trace_target *target, uint32_t number)
{
	return number == WL_SWITCHED_OUT && target->cpu < 0 && wl_trace_event_id(number) < 0;
}

/* One tracepoint into the leader's ring. 0 or -errno. */
static int open_event(struct wl_tracer *t, struct wl_trace_target *target, uint32_t number)
{
	const struct wl_trace_event *event = &wl_trace_events[number];
	struct perf_event_attr attr = common_attr();
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.config = (uint64_t)wl_trace_event_id(number);
	attr.exclude_callchain_user = 1;
	attr.sample_max_stack = STACK_FRAMES;
	bool samples = wl_trace_samples(number);
	pid_t tid = target->cpu < 0 || samples ? t->tid : -1;
	if (samples) {
		attr.type = PERF_TYPE_SOFTWARE;
		attr.sample_period = WL_SAMPLE_EVERY_NS;
		attr.exclude_user = 1;
	}
	bool other = stood_in_for(target, number);
	if (other) {
		attr.type = PERF_TYPE_SOFTWARE;
		attr.config = PERF_COUNT_SW_CONTEXT_SWITCHES;
		t->raw = false;
	}
	attr.sample_type |= (has_chain(t, event) ? PERF_SAMPLE_CALLCHAIN : 0) | (t->raw ? PERF_SAMPLE_RAW : 0);
	int fd = (int)perf_event_open(&attr, tid, target->cpu);
	if (fd < 0 && (errno == EPERM || errno == EACCES) && t->raw) {
		attr.sample_type &= ~(uint64_t)PERF_SAMPLE_RAW;
		if ((fd = (int)perf_event_open(&attr, tid, target->cpu)) >= 0)
			t->raw = false;
	}
	if (fd < 0)
		return -errno;
	int error = other || samples ? 0 : set_filter(t, fd, event, target->cpu);
	if (error == 0 && (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, target->leader) < 0 || ioctl(fd, PERF_EVENT_IOC_ID, &target->ids[number]) < 0))
		error = -errno;
	if (error)
		close(fd);
	else
		target->fds[number] = fd;
	return error;
}

static void close_target(struct wl_trace_target *target)
{
	wl_perf_ring_unmap(&target->ring);
	for (uint32_t i = 0; i < wl_trace_event_count; i++)
		if (target->fds[i] >= 0)
			close(target->fds[i]);
	if (target->leader >= 0)
		close(target->leader);
}

static void close_targets(struct wl_tracer *t)
{
	while (t->n_targets > 0)
		close_target(&t->targets[--t->n_targets]);
	memset(t->errors, 0, sizeof t->errors);
	t->error = 0;
	t->version++;
}

/* Why an event cannot be seen here at all: 0 or -errno. */
static int invisible(const struct wl_trace_target *target, uint32_t number)
{
	const struct wl_trace_event *event = &wl_trace_events[number];
	int32_t id = wl_trace_event_id(number);
	if (id < 0)
		return stood_in_for(target, number) ? 0 : id;
	/* happens to the writer, not in it */
	return target->cpu < 0 && (event->scope == WL_ABOUT_WRITER || (event->scope == WL_OF_CPU && !event->chain)) ? -EXDEV : 0;
}

/* What is wanted and not open yet. The others stay closed: each costs the host some nanoseconds whenever it happens anywhere, and
 * its end a grace period of RCU. */
static void open_events(struct wl_tracer *t, struct wl_trace_target *target)
{
	for (uint32_t i = 0; i < wl_trace_event_count; i++) {
		int error = target->fds[i] >= 0 ? 0 : invisible(target, i);
		if (error == 0 && target->fds[i] < 0 && is_wanted(t, &wl_trace_events[i]))
			error = open_event(t, target, i);
		if (error && t->errors[i] == 0)
			t->errors[i] = -error;
	}
}

/* 0 or -errno; a target without a ring is kept too, so that it is not tried again and again. */
static int open_target(struct wl_tracer *t, int cpu, bool many)
{
	struct wl_trace_target *target = &t->targets[t->n_targets];
	*target = (struct wl_trace_target){.cpu = cpu, .on = true, .leader = open_leader(t, cpu)};
	memset(target->fds, -1, sizeof target->fds);
	int error = target->leader < 0 ? target->leader : wl_perf_ring_map(&target->ring, target->leader, many ? SMALL_RING_BYTES : RING_BYTES);
	t->n_targets++;
	t->version++;
	if (error) {
		if (target->leader >= 0)
			close(target->leader);
		target->leader = -1;
		return error;
	}
	open_events(t, target);
	target->since_ns = wl_now();
	return 0;
}

static void switch_event(int fd, bool on)
{
	if (fd >= 0)
		ioctl(fd, on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE, 0);
}

static void switch_target(struct wl_tracer *t, struct wl_trace_target *target, bool on)
{
	for (uint32_t i = 0; i < wl_trace_event_count; i++)
		if (!on || is_wanted(t, &wl_trace_events[i]))
			switch_event(target->fds[i], on);
	if (on && target->leader >= 0)
		open_events(t, target);
	target->on = on;
	target->since_ns = wl_now();
	t->version++;
}

/* Nothing is closed when less is wanted: that takes long, and it may be wanted again. */
static void set_mode(struct wl_tracer *t, uint32_t mode)
{
	bool was_off = t->mode == WL_TRACE_OFF;
	if ((mode == WL_TRACE_PLAIN) != (t->mode == WL_TRACE_PLAIN))
		close_targets(t); /* an open event keeps what it was opened with */
	t->mode = mode;
	t->version++;
	for (uint32_t n = 0; n < t->n_targets; n++) {
		struct wl_trace_target *target = &t->targets[n];
		for (uint32_t i = 0; i < wl_trace_event_count && target->on; i++)
			switch_event(target->fds[i], is_wanted(t, &wl_trace_events[i]));
		if (target->leader >= 0 && target->on)
			open_events(t, target);
		if (was_off)
			target->since_ns = wl_now();
	}
}

static unsigned count_of(const struct wl_cpus *cpus)
{
	unsigned n = 0;
	for (int i = 0; i < WL_CPU_WORDS; i++)
		n += (unsigned)__builtin_popcountll(cpus->words[i]);
	return n;
}

static bool have_events(void)
{
	for (uint32_t i = 0; i < wl_trace_event_count; i++)
		if (wl_trace_event_id(i) > 0)
			return true;
	return false;
}

/* A file per event and CPU. */
static void make_room_for_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= WL_TRACE_CPUS * WL_PROBES + SPARE_FILES)
		return;
	limit.rlim_cur = limit.rlim_max < WL_TRACE_CPUS * WL_PROBES + SPARE_FILES ? limit.rlim_max : WL_TRACE_CPUS * WL_PROBES + SPARE_FILES;
	setrlimit(RLIMIT_NOFILE, &limit); /* refused: the last CPUs stay blind, and say so */
}

static void follow_cpus(struct wl_tracer *t, const struct wl_cpus *cpus)
{
	uint64_t known[WL_CPU_WORDS] = {0};
	bool many = count_of(cpus) > MANY_CPUS;
	for (uint32_t n = 0; n < t->n_targets; n++) {
		struct wl_trace_target *target = &t->targets[n];
		bool on = wl_place_has(cpus, (unsigned)target->cpu);
		known[target->cpu / 64] |= 1ull << (target->cpu % 64);
		if (target->on != on)
			switch_target(t, target, on);
	}
	for (unsigned cpu = 0; cpu < WL_MAX_CPUS; cpu++) {
		if (!wl_place_has(cpus, cpu) || known[cpu / 64] >> (cpu % 64) & 1)
			continue;
		if (t->n_targets == WL_TRACE_CPUS) { /* it has been to many places: start again with those of now */
			close_targets(t);
			follow_cpus(t, cpus);
			return;
		}
		int error = open_target(t, (int)cpu, many);
		if (error == -EACCES || error == -EPERM) {
			t->cpus_refused = true;
			return;
		}
		if (error && t->error == 0)
			t->error = -error;
	}
}

static void follow(struct wl_tracer *t, const struct wl_cpus *cpus)
{
	bool whole = !t->cpus_refused && count_of(cpus) <= WL_TRACE_CPUS && have_events();
	if (whole != t->whole_cpus)
		close_targets(t);
	t->whole_cpus = whole;
	if (whole) {
		make_room_for_files();
		follow_cpus(t, cpus);
		/* without the fields one could not tell whose events these are */
		if (!t->cpus_refused && t->raw)
			return;
		t->cpus_refused = t->raw = true;
		t->whole_cpus = false;
		close_targets(t);
	}
	if (t->n_targets == 0)
		t->error = -open_target(t, -1, false);
}

int wl_tracer_init(struct wl_tracer *t, pid_t tid)
{
	*t = (struct wl_tracer){.tid = tid, .raw = true, .version = 1};
	pthread_mutex_init(&t->lock, NULL);
	t->targets = calloc(WL_TRACE_CPUS, sizeof *t->targets);
	if (t->targets && !wl_trace_prepared())
		wl_trace_prepare(); /* what it cannot read is said probe by probe */
	return t->targets ? 0 : -ENOMEM;
}

void wl_tracer_follow(struct wl_tracer *t, const struct wl_cpus *cpus, uint32_t mode)
{
	struct wl_cpus now = {{0}};
	if (cpus == NULL && syscall(SYS_sched_getaffinity, t->tid, sizeof now, &now) < 0)
		return; /* the thread has ended */
	pthread_mutex_lock(&t->lock);
	if (mode != t->mode)
		set_mode(t, mode);
	if (mode != WL_TRACE_OFF)
		follow(t, cpus ? cpus : &now);
	pthread_mutex_unlock(&t->lock);
}

/* The kernel's number of an event means nothing outside; the probe's place in the description does. */
static void name_events(const struct wl_trace_target *target, unsigned char *records, size_t bytes)
{
	for (size_t at = 0; at < bytes;) {
		struct perf_event_header header;
		uint64_t id, probe = UINT64_MAX;
		memcpy(&header, records + at, sizeof header);
		memcpy(&id, records + at + sizeof header, sizeof id);
		for (uint32_t i = 0; i < wl_trace_event_count && header.type == PERF_RECORD_SAMPLE; i++)
			if (target->fds[i] >= 0 && target->ids[i] == id)
				probe = i;
		if (header.type == PERF_RECORD_SAMPLE)
			memcpy(records + at + sizeof header, &probe, sizeof probe);
		at += header.size;
	}
}

/* The CPU the writer is on comes first: its own records are there, and those of other CPUs could leave no room for them. But it may
 * have gone to sleep elsewhere, so a quarter stays for the others. */
static size_t room_on(const struct wl_tracer *t, bool own, size_t room)
{
	return own && t->n_targets > 1 ? room - room / 4 : room;
}

/* Switches of others may be left out: with many of them the beginning of a long stall would have no room. */
static struct wl_perf_sparing sparing(const struct wl_tracer *t, const struct wl_trace_target *target)
{
	int at = wl_trace_field_at(WL_SWITCHES, "next_pid");
	bool known = t->raw && at >= 0 && target->fds[WL_SWITCHES] >= 0;
	return (struct wl_perf_sparing){.id = known ? target->ids[WL_SWITCHES] : 0, .tid = (uint32_t)t->tid, .next_tid_at = known ? (uint32_t)at : 0};
}

size_t wl_tracer_copy(struct wl_tracer *t, const struct wl_write *stall, uint64_t interval_ns, unsigned char *to, size_t room)
{
	uint64_t before = interval_ns < BEFORE_NS ? BEFORE_NS : interval_ns > MOST_BEFORE_NS ? MOST_BEFORE_NS : interval_ns;
	/* one that queued had to wait for the write before it, which is a stall of its own */
	uint64_t since = stall->backlog ? stall->begin_ns : stall->planned_ns;
	struct wl_trace trace = {.planned_ns = stall->planned_ns, .from_ns = since - before, .to_ns = stall->end_ns + AFTER_NS};
	size_t bytes = sizeof trace;
	struct wl_perf_span span = {.from_ns = trace.from_ns, .to_ns = trace.to_ns};
	if (room < sizeof trace)
		return 0;
	pthread_mutex_lock(&t->lock);
	bool any = false;
	for (uint32_t turn = 0; turn < 2 * t->n_targets && t->mode != WL_TRACE_OFF; turn++) {
		const struct wl_trace_target *target = &t->targets[turn % t->n_targets];
		bool own = target->cpu == (int)stall->cpu;
		if (own != (turn < t->n_targets) || target->leader < 0 || !target->on || target->since_ns > stall->end_ns)
			continue;
		struct wl_perf_sparing spare = sparing(t, target);
		wl_perf_ring_copy(&target->ring, &spare, &span, to + bytes, room_on(t, own, room - bytes));
		name_events(target, to + bytes, span.bytes);
		bytes += span.bytes;
		any = true;
		trace.lost += (uint32_t)span.lost;
		trace.omitted += (uint32_t)span.omitted;
		uint64_t oldest = span.oldest_ns > target->since_ns ? span.oldest_ns : target->since_ns;
		if (oldest > trace.from_ns)
			trace.from_ns = oldest;
	}
	pthread_mutex_unlock(&t->lock);
	trace.bytes = (uint32_t)(bytes - sizeof trace);
	memcpy(to, &trace, sizeof trace);
	return any ? bytes : 0;
}

static uint32_t level(const struct wl_tracer *t)
{
	uint32_t best = WL_LEVEL_NOTHING;
	for (uint32_t n = 0; n < t->n_targets && t->mode != WL_TRACE_OFF; n++) {
		if (t->targets[n].leader < 0)
			continue;
		if (best == WL_LEVEL_NOTHING && !t->whole_cpus)
			best = WL_LEVEL_SWITCHES;
		for (uint32_t i = 0; i < wl_trace_event_count; i++)
			if (t->targets[n].fds[i] >= 0)
				best = t->raw ? WL_LEVEL_FULL : WL_LEVEL_CHAINS;
	}
	return best;
}

size_t wl_tracer_describe(struct wl_tracer *t, unsigned char *to, uint32_t *ret_version)
{
	pthread_mutex_lock(&t->lock);
	struct wl_tracer_head head = {.level = level(t), .mode = t->mode, .whole_cpus = t->whole_cpus, .error = t->error,
				      .n_probes = wl_trace_event_count};
	size_t bytes = sizeof head + wl_trace_event_count * sizeof(struct wl_probe);
	for (uint32_t n = 0; n < t->n_targets; n++) {
		head.cpus += t->targets[n].on && t->targets[n].leader >= 0 && t->targets[n].cpu >= 0;
		head.cpus_blind += t->targets[n].on && t->targets[n].leader < 0 && t->targets[n].cpu >= 0;
	}
	for (uint32_t i = 0; i < wl_trace_event_count; i++) {
		const struct wl_trace_event *event = &wl_trace_events[i];
		const char *format = wl_trace_event_format(i);
		struct wl_probe probe = {.error = t->errors[i], .deep = event->tier == WL_TIER_DEEP || (event->tier == WL_TIER_CHEAP && !t->whole_cpus),
					 .chain = has_chain(t, event), .format_bytes = (uint32_t)strlen(format)};
		snprintf(probe.name, sizeof probe.name, "%s", event->name);
		if (bytes + probe.format_bytes > WL_TRACER_BYTES)
			probe.format_bytes = 0;
		memcpy(to + bytes, format, probe.format_bytes);
		memcpy(to + sizeof head + i * sizeof probe, &probe, sizeof probe);
		bytes += probe.format_bytes;
	}
	memcpy(to, &head, sizeof head);
	*ret_version = t->version;
	pthread_mutex_unlock(&t->lock);
	return bytes;
}

/* Which files of this process are ours. Returns the highest one; ret_ours has room for as many bytes, or is NULL. */
static int own_files(const struct wl_tracer *t, unsigned char *ret_ours)
{
	int highest = -1;
	for (uint32_t n = 0; n < t->n_targets; n++)
		for (uint32_t i = 0; i <= wl_trace_event_count; i++) {
			int fd = i < wl_trace_event_count ? t->targets[n].fds[i] : t->targets[n].leader;
			if (fd > highest)
				highest = fd;
			if (fd >= 0 && ret_ours)
				ret_ours[fd] = 1;
		}
	return highest;
}

/* The end of each kind of event waits for a grace period of RCU, some 35 ms: more than a second in all, for whoever closes it last.
 * A process of its own takes that upon itself: it holds the events, and nothing else of ours, until we have closed them.
 * Returns what to close then, or -errno when there is no such process. */
static int leave_closing_to_another(const struct wl_tracer *t)
{
	int closed[2];
	char nothing;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, closed) < 0)
		return -errno;
	int files = own_files(t, NULL) + 1;
	if (files <= closed[1])
		files = closed[1] + 1;
	unsigned char *ours = calloc((size_t)files, 1);
	pid_t child = ours ? fork() : -1;
	if (child == 0) {
		if (fork() == 0) {
			prctl(PR_SET_NAME, "wlat-closing");
			if (chdir("/") < 0)
				_exit(1);
			own_files(t, ours);
			ours[closed[0]] = 1;
			for (int fd = 0; fd < files; fd++)
				if (!ours[fd])
					close(fd);
			close_range((unsigned)files, ~0U, 0);
			if (write(closed[0], "", 1) == 1)
				while (read(closed[0], &nothing, 1) < 0 && errno == EINTR)
					;
		}
		_exit(0);
	}
	free(ours);
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	close(closed[0]);
	while (read(closed[1], &nothing, 1) < 0 && errno == EINTR) /* it holds no file but those: a disk can be unmounted once we end */
		;
	return closed[1];
}

void wl_tracer_close(struct wl_tracer *t)
{
	if (t->targets == NULL)
		return;
	int closed = t->n_targets > 0 ? leave_closing_to_another(t) : -1;
	close_targets(t);
	if (closed >= 0)
		close(closed);
	free(t->targets);
	t->targets = NULL;
	pthread_mutex_destroy(&t->lock);
}

int wl_trace_try(unsigned char *ret, uint32_t *ret_bytes)
{
	struct wl_tracer t;
	uint32_t version;
	int error = wl_tracer_init(&t, gettid());
	if (error)
		return error;
	wl_tracer_follow(&t, NULL, WL_TRACE_ON);
	*ret_bytes = (uint32_t)wl_tracer_describe(&t, ret, &version);
	wl_tracer_close(&t);
	return 0;
}
