/* engine.c: starts the threads, takes orders on in_fd, and ends in order. */
#include "engine.h"
#include "platform.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#ifndef WL_WRITER_STACK_BYTES /* the thread sanitizer needs a larger one */
#define WL_WRITER_STACK_BYTES (256 * 1024)
#endif

enum {
	LEAVE_NS = 250000000, /* for a writer inside write(); then the process ends without it */
	NAP_STEP_NS = 50000000,
	CLOCK_READS = 1000,
	PIPE_BYTES = 256 * 1024, /* about 25 ticks of the usual size: a screen that hangs for some seconds loses none */
};

struct wl_settings wl_engine_settings(struct wl_engine *e)
{
	pthread_mutex_lock(&e->settings_lock);
	struct wl_settings copy = e->settings;
	pthread_mutex_unlock(&e->settings_lock);
	return copy;
}

void wl_nap_until(struct wl_engine *e, uint64_t ns)
{
	uint64_t now;
	while ((now = wl_now()) < ns && !atomic_load(&e->leaving))
		wl_sleep_until(ns - now > NAP_STEP_NS ? now + NAP_STEP_NS : ns);
}

static struct wl_cpus writer_cpus(const struct wl_engine *e, const struct wl_settings *s)
{
	struct wl_cpus cpus;
	memcpy(cpus.words, s->cpus, sizeof cpus.words);
	for (int i = 0; i < WL_CPU_WORDS; i++)
		if (cpus.words[i])
			return cpus;
	return e->started_with;
}

void wl_engine_place_threads(struct wl_engine *e)
{
	struct wl_settings s = wl_engine_settings(e);
	struct wl_cpus writer = writer_cpus(e, &s);
	atomic_store(&e->refused[WL_REQ_CPUS], wl_place_thread(atomic_load(&e->writer_tid), &writer));
	struct wl_cpus others = wl_place_others(&e->started_with, &writer);
	struct wl_cpus near = wl_place_on_node(&others, atomic_load(&e->writer.node));
	pid_t tids[] = {atomic_load(&e->control_tid), atomic_load(&e->reporter_tid), atomic_load(&e->janitor_tid)};
	for (size_t i = 0; i < sizeof tids / sizeof *tids; i++)
		if (tids[i]) /* not started yet: it will inherit this from the control thread */
			wl_place_thread(tids[i], &others);
	wl_place_thread(atomic_load(&e->precursor_tid), &near);
}

static void apply(struct wl_engine *e, const struct wl_settings *s)
{
	pthread_mutex_lock(&e->settings_lock);
	bool moves = e->settings.policy != s->policy || memcmp(e->settings.cpus, s->cpus, sizeof s->cpus) != 0 ||
		     memcmp(e->settings.policy_nodes, s->policy_nodes, sizeof s->policy_nodes) != 0;
	e->settings = *s;
	pthread_mutex_unlock(&e->settings_lock);
	if (moves) {
		atomic_store(&e->places_swaps, atomic_load(&e->writer.swaps));
		atomic_fetch_add(&e->places, 1);
	}
	/* first, so that nothing is missed where the writer is about to go */
	struct wl_cpus cpus = writer_cpus(e, s);
	wl_tracer_follow(&e->tracer, &cpus, s->trace);
	wl_engine_place_threads(e);
	atomic_store(&e->refused[WL_REQ_FIFO], wl_place_priority(atomic_load(&e->writer_tid), s->fifo_priority));
	atomic_store(&e->refused[WL_REQ_DMA_LATENCY], wl_dma_latency_hold(s->dma_latency_us));
	int unlocked = wl_writer_order(&e->writer, s);
	if (unlocked)
		atomic_store(&e->refused[WL_REQ_MLOCK], unlocked);
}

static void *writer_main(void *engine)
{
	struct wl_engine *e = engine;
	sigset_t continued;
	prctl(PR_SET_NAME, "wlat-writer");
	atomic_store(&e->refused[WL_REQ_TIMERSLACK], prctl(PR_SET_TIMERSLACK, 1) < 0 ? errno : 0);
	sigemptyset(&continued);
	sigaddset(&continued, SIGCONT);
	pthread_sigmask(SIG_UNBLOCK, &continued, NULL);
	e->writer.process = wl_files_separate();
	atomic_store(&e->writer_tid, gettid());
	while (!(atomic_load(&e->writer.attention) & (WL_ATTEND_ORDERS | WL_ATTEND_LEAVE)))
		wl_sleep_until(wl_now() + 100000); /* its place and its orders come first */
	wl_writer_loop(&e->writer);
	return NULL;
}

/* A stack of its own, present and locked, so that the loop meets no page fault. */
static int start_writer(struct wl_engine *e)
{
	pthread_attr_t attributes;
	void *stack = mmap(NULL, WL_WRITER_STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_POPULATE, -1, 0);
	if (stack == MAP_FAILED)
		return errno;
	if (mlock(stack, WL_WRITER_STACK_BYTES) < 0)
		atomic_store(&e->refused[WL_REQ_MLOCK], errno);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, WL_WRITER_STACK_BYTES);
	int error = pthread_create(&e->writer_thread, &attributes, writer_main, e);
	pthread_attr_destroy(&attributes);
	return error;
}

static uint64_t measure_clock_ns(void)
{
	uint64_t begin = wl_now(), end = begin;
	for (int i = 0; i < CLOCK_READS; i++)
		end = wl_now();
	return (end - begin) / CLOCK_READS;
}

static struct wl_engine *create(int dir_fd, int out_fd, const struct wl_settings *settings)
{
	struct wl_engine *e = mmap(NULL, sizeof *e, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e == MAP_FAILED)
		return NULL;
	madvise(e, sizeof *e, MADV_HUGEPAGE); /* the counts of a write are far apart: fewer TLB entries for them; no loss where refused */
	memset(e, 0, sizeof *e);
	if (mlock(e, sizeof *e) < 0)
		e->refused[WL_REQ_MLOCK] = errno;
	int code = wl_lock_code();
	if (code)
		e->refused[WL_REQ_MLOCK] = code;
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&e->segments.work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&e->segments.lock, NULL);
	pthread_mutex_init(&e->settings_lock, NULL);
	e->segments.dir_fd = dir_fd;
	e->out_fd = out_fd;
	e->control_tid = gettid();
	e->settings = *settings;
	e->page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	e->clock_ns = measure_clock_ns();
	e->cpu_base_ns = wl_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	e->precursor_cpu = e->precursor_node = -1;
	wl_place_started_with(&e->started_with);
	wl_dma_latency_open();
	if (wl_writer_prepare(&e->writer, e->page_bytes) < 0) {
		munmap(e, sizeof *e);
		return NULL;
	}
	return e;
}

static int start(struct wl_engine *e)
{
	struct wl_settings settings = e->settings;
	int error = wl_segments_open_first(e);
	if (error)
		return error;
	if ((error = start_writer(e)) != 0)
		return -error;
	if ((error = pthread_create(&e->precursor_thread, NULL, wl_precursor_main, e)) != 0)
		return -error; /* the process ends with it: see wl_engine_run */
	while (atomic_load(&e->writer_tid) == 0 || atomic_load(&e->precursor_tid) == 0)
		wl_sleep_until(wl_now() + 100000);
	if ((error = wl_tracer_init(&e->tracer, atomic_load(&e->writer_tid))) != 0)
		return error;
	apply(e, &settings); /* also moves this thread, so that those it starts now are born off the writer's CPU */
	if ((error = pthread_create(&e->janitor_thread, NULL, wl_janitor_main, e)) != 0)
		return -error;
	return -pthread_create(&e->reporter_thread, NULL, wl_reporter_main, e);
}

/* Read one wl_settings into buffer; *have is what is there already. 1: complete, 0: not yet, -ENODATA: the stream has ended. */
static int read_settings(int in_fd, struct wl_settings *buffer, size_t *have)
{
	ssize_t n = read(in_fd, (char *)buffer + *have, sizeof *buffer - *have);
	if (n == 0)
		return -ENODATA;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	*have += (size_t)n;
	if (*have < sizeof *buffer)
		return 0;
	*have = 0;
	return buffer->magic == WL_SETTINGS_MAGIC && buffer->bytes == sizeof *buffer ? 1 : -EBADMSG;
}

/* Until the stream ends, a signal says so, or sense cannot be made of it. */
static int control(struct wl_engine *e, int in_fd, int signal_fd)
{
	struct wl_settings next;
	size_t have = 0;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), result = 0;
	struct epoll_event in = {.events = EPOLLIN, .data.fd = in_fd}, signals = {.events = EPOLLIN, .data.fd = signal_fd}, event;
	if (epoll_fd < 0)
		return -errno;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, in_fd, &in) < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &signals) < 0)
		result = -errno;
	while (result == 0) {
		int n = epoll_wait(epoll_fd, &event, 1, -1);
		if (n < 0 && errno == EINTR) {
			/* no handler runs on this thread: it was a stop and continue, a freeze or a debugger */
			atomic_store_explicit(&e->writer.resumed_ns, wl_now(), memory_order_release);
			continue;
		}
		if (n < 0)
			result = -errno;
		else if (event.data.fd == signal_fd)
			break;
		else
			result = read_settings(in_fd, &next, &have);
		if (result == 1) {
			/* refused ones change nothing: settings_seq stays, and the sender could have asked wl_settings_refuse */
			if (wl_settings_refuse(&next) == NULL)
				apply(e, &next);
			result = 0;
		}
	}
	close(epoll_fd);
	return result == -ENODATA ? 0 : result;
}

static void leave(struct wl_engine *e)
{
	struct timespec until;
	atomic_fetch_or(&e->writer.attention, WL_ATTEND_LEAVE);
	clock_gettime(CLOCK_REALTIME, &until); /* the only clock pthread_timedjoin_np knows */
	until.tv_nsec += LEAVE_NS;
	until.tv_sec += until.tv_nsec / WL_NS_PER_S;
	until.tv_nsec %= WL_NS_PER_S;
	pthread_kill(e->writer_thread, SIGCONT); /* out of its sleep */
	if (pthread_timedjoin_np(e->writer_thread, NULL, &until) != 0)
		_exit(0); /* stuck in write(): the kernel takes the nameless files with the process */
	atomic_store(&e->writer_gone, true);
	pthread_mutex_lock(&e->segments.lock);
	e->segments.leaving = true;
	pthread_cond_signal(&e->segments.work);
	pthread_mutex_unlock(&e->segments.lock);
	atomic_store(&e->leaving, true);
	pthread_join(e->reporter_thread, NULL);
	pthread_join(e->janitor_thread, NULL);
	pthread_join(e->precursor_thread, NULL);
}

static int run(int dir_fd, int in_fd, int out_fd, int signal_fd)
{
	struct wl_settings settings;
	size_t have = 0;
	int result;
	while ((result = read_settings(in_fd, &settings, &have)) == 0)
		;
	if (result < 0)
		return result == -ENODATA ? 0 : result;
	if (wl_settings_refuse(&settings))
		return -EINVAL;
	struct wl_engine *e = create(dir_fd, out_fd, &settings);
	if (e == NULL)
		return -ENOMEM;
	result = start(e);
	if (result == 0) {
		result = control(e, in_fd, signal_fd);
		leave(e);
	} else if (e->writer_tid) {
		return result; /* some threads run: the caller ends the process */
	}
	wl_segments_close(&e->segments);
	wl_tracer_close(&e->tracer);
	wl_dma_latency_close();
	wl_writer_discard(&e->writer);
	munmap(e, sizeof *e);
	return result;
}

int wl_engine_run(int dir_fd, int in_fd, int out_fd)
{
	static const int ignored[] = {SIGHUP, SIGPIPE, SIGXFSZ}; /* XFSZ: a file size limit is an EFBIG to be shown */
	struct sigaction ignore = {.sa_handler = SIG_IGN}, continued = {.sa_handler = wl_writer_continued};
	sigset_t blocked;
	prctl(PR_SET_NAME, "wlat-engine");
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
		sigaction(ignored[i], &ignore, NULL);
	sigaction(SIGCONT, &continued, NULL); /* no SA_RESTART: it must also end a sleep */
	sigaddset(&blocked, SIGCONT); /* every thread but the writer inherits this */
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	sigdelset(&blocked, SIGCONT);
	int signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		return -errno;
	int flags = fcntl(out_fd, F_GETFL);
	fcntl(out_fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(out_fd, F_SETPIPE_SZ, PIPE_BYTES); /* refused over a user's pipe quota, or no pipe: it does without */
	int result = run(dir_fd, in_fd, out_fd, signal_fd);
	fcntl(out_fd, F_SETFL, flags);
	close(signal_fd);
	return result;
}
