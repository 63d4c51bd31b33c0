/* births.c: births, names and deaths of processes on the whole host, from perf's task records; and hits of probes beside them.
 *
 * A reader such as `cat` is gone before anyone can look it up in /proc. The kernel's own records of fork, exec and exit cost only those
 * (some 100 ns each), and CPU-wide events cost context switches nothing. */
#include "platform.h"
#include "wlat.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	RING_BYTES = 128 << 10, /* about 2000 records: polled several times a second, and at once when half full */
	LIVES = 1 << 14,        /* a power of two: pids count up, so neighbours do not meet */
	LARGEST_RECORD = 512,   /* the largest that is looked at */
	TAGS = 1 << 14,         /* events on all CPUs; a power of two */
};

struct ring {
	int fd;
	struct perf_event_mmap_page *head;
	char *data;
	uint32_t cpu;
};

struct tagged {
	uint64_t id; /* 0: free */
	uint32_t tag;
};

struct wl_births {
	struct ring *rings;
	uint32_t n_rings;
	int *probes;
	uint32_t n_probes;
	uint32_t n_tagged;
	uint64_t lost;
	struct wl_life lives[LIVES];
	struct tagged tagged[TAGS];
};

/* What follows the fields of every record but a sample: sample_type TID | TIME | IDENTIFIER, in the kernel's order. */
struct trailer {
	uint32_t pid, tid;
	uint64_t time, id;
};

/* PERF_RECORD_FORK and _EXIT. */
struct task {
	struct perf_event_header head;
	uint32_t pid, parent, tid, parent_tid;
	uint64_t time;
};

struct comm {
	struct perf_event_header head;
	uint32_t pid, tid;
	char comm[];
};

struct sample {
	struct perf_event_header head;
	uint64_t id;
	uint32_t pid, tid;
	uint64_t time;
};

struct lost {
	struct perf_event_header head;
	uint64_t id, lost;
};

static struct perf_event_attr attributes(void)
{
	return (struct perf_event_attr){
		.size = sizeof(struct perf_event_attr),
		.sample_type = PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = RING_BYTES / 2,
	};
}

static int open_event(struct perf_event_attr *attr, uint32_t cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_ring(struct ring *ring, uint32_t cpu)
{
	struct perf_event_attr attr = attributes();
	attr.type = PERF_TYPE_SOFTWARE;
	attr.config = PERF_COUNT_SW_DUMMY;
	attr.task = attr.comm = attr.comm_exec = 1;
	ring->cpu = cpu;
	ring->fd = open_event(&attr, cpu);
	if (ring->fd < 0)
		return ring->fd;
	long page = sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, (size_t)page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (at == MAP_FAILED) {
		int error = -errno;
		close(ring->fd);
		return error;
	}
	ring->head = at;
	ring->data = (char *)at + page;
	return 0;
}

struct wl_births *wl_births_open(const uint32_t *cpus, uint32_t n, int *error)
{
	struct wl_births *births = calloc(1, sizeof *births);
	*error = -ENOMEM;
	if (births == NULL)
		return NULL;
	births->rings = calloc(n, sizeof *births->rings);
	for (uint32_t i = 0; births->rings != NULL && i < n; i++) {
		*error = open_ring(&births->rings[births->n_rings], cpus[i]);
		if (*error == 0)
			births->n_rings++;
		else if (*error != -ENODEV && *error != -ENXIO) /* went offline meanwhile */
			break;
	}
	if (births->n_rings > 0 && (*error == 0 || *error == -ENODEV || *error == -ENXIO)) {
		*error = 0;
		return births;
	}
	wl_births_close(births);
	return NULL;
}

static int add_tag(struct wl_births *births, int fd, uint32_t tag)
{
	uint64_t id = 0;
	if (births->n_tagged >= TAGS / 2)
		return -ENOSPC;
	if (ioctl(fd, PERF_EVENT_IOC_ID, &id) < 0)
		return -errno;
	uint64_t at = id % TAGS;
	while (births->tagged[at].id != 0)
		at = (at + 1) % TAGS;
	births->tagged[at] = (struct tagged){id, tag};
	births->n_tagged++;
	return 0;
}

static int find_tag(const struct wl_births *births, uint64_t id, uint32_t *tag)
{
	for (uint64_t at = id % TAGS; births->tagged[at].id != 0; at = (at + 1) % TAGS)
		if (births->tagged[at].id == id) {
			*tag = births->tagged[at].tag;
			return 1;
		}
	return 0;
}

static int attach(struct wl_births *births, const struct ring *ring, int fd, const char *filter, uint32_t tag)
{
	if (filter != NULL && ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter) < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) < 0)
		return -errno;
	int error = add_tag(births, fd, tag);
	return error < 0 ? error : ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

int wl_births_probe(struct wl_births *births, uint32_t type, uint64_t config, const char *name, const char *filter, uint32_t tag, int at_once)
{
	struct perf_event_attr attr = attributes();
	attr.type = type;
	attr.config = config;
	attr.config1 = (uint64_t)(uintptr_t)name; /* kprobe_func */
	attr.sample_period = 1;
	attr.disabled = 1;
	if (at_once) {
		attr.watermark = 0;
		attr.wakeup_events = 1;
	}
	int *more = realloc(births->probes, (births->n_probes + births->n_rings) * sizeof *more);
	if (more == NULL)
		return -ENOMEM;
	births->probes = more;
	uint32_t before = births->n_probes;
	for (uint32_t i = 0; i < births->n_rings; i++) {
		int fd = open_event(&attr, births->rings[i].cpu), error = fd;
		if (fd >= 0) {
			births->probes[births->n_probes++] = fd;
			error = attach(births, &births->rings[i], fd, filter, tag);
		}
		if (error < 0) {
			while (births->n_probes > before)
				close(births->probes[--births->n_probes]);
			return error;
		}
	}
	return 0;
}

uint32_t wl_births_fds(const struct wl_births *births, int32_t *fds, uint32_t n)
{
	for (uint32_t i = 0; i < births->n_rings && i < n; i++)
		fds[i] = births->rings[i].fd;
	return births->n_rings;
}

/* The place of this pid, emptied when another's life is written there. */
static struct wl_life *life_of(struct wl_births *births, uint32_t pid)
{
	struct wl_life *life = &births->lives[pid % LIVES];
	if (life->pid != (int32_t)pid)
		*life = (struct wl_life){.pid = (int32_t)pid};
	return life;
}

static void take_task(struct wl_births *births, const struct task *record)
{
	if (record->pid != record->tid || record->pid == 0)
		return; /* a thread, or a process of another pid namespace */
	struct wl_life *life = life_of(births, record->pid);
	if (record->head.type == PERF_RECORD_EXIT) {
		if (record->time > life->fork_ns)
			life->exit_ns = record->time;
		return;
	}
	/* the rings of other CPUs may have told already what came later: exec, a name, the end */
	if (life->named_ns < record->time) {
		uint64_t exit_ns = life->exit_ns > record->time ? life->exit_ns : 0;
		*life = (struct wl_life){.pid = (int32_t)record->pid, .exit_ns = exit_ns};
		const struct wl_life *parent = &births->lives[record->parent % LIVES];
		if (parent->pid == (int32_t)record->parent)
			memcpy(life->comm, parent->comm, sizeof life->comm);
	}
	life->parent = (int32_t)record->parent;
	life->fork_ns = record->time;
}

static void take_comm(struct wl_births *births, const struct comm *record)
{
	size_t fixed = sizeof *record + sizeof(struct trailer);
	if (record->head.size <= fixed || record->pid != record->tid || record->pid == 0)
		return;
	const struct trailer *end = (const void *)((const char *)record + record->head.size - sizeof *end);
	struct wl_life *life = life_of(births, record->pid);
	if (end->time < life->fork_ns || end->time < life->named_ns)
		return; /* of an earlier process with this pid, or an older name */
	if (life->exit_ns != 0 && life->exit_ns < end->time)
		*life = (struct wl_life){.pid = (int32_t)record->pid}; /* the pid is in use again; the fork is still in another ring */
	size_t n = strnlen(record->comm, record->head.size - fixed);
	memset(life->comm, 0, sizeof life->comm);
	memcpy(life->comm, record->comm, n < sizeof life->comm ? n : sizeof life->comm - 1);
	life->named_ns = end->time;
	if (record->head.misc & PERF_RECORD_MISC_COMM_EXEC)
		life->exec_ns = end->time;
}

/* Returns whether it put a hit there. */
static bool take(struct wl_births *births, const struct perf_event_header *record, struct wl_hit *hit)
{
	const struct sample *sample = (const void *)record;
	switch (record->type) {
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		if (record->size >= sizeof(struct task))
			take_task(births, (const void *)record);
		return false;
	case PERF_RECORD_COMM:
		take_comm(births, (const void *)record);
		return false;
	case PERF_RECORD_LOST:
		if (record->size >= sizeof(struct lost))
			births->lost += ((const struct lost *)record)->lost;
		return false;
	case PERF_RECORD_SAMPLE:
		if (record->size < sizeof *sample || !find_tag(births, sample->id, &hit->tag))
			return false;
		hit->at_ns = sample->time;
		hit->pid = (int32_t)sample->pid;
		hit->tid = (int32_t)sample->tid;
		return true;
	default:
		return false;
	}
}

static void copy_out(const struct ring *ring, uint64_t at, void *to, size_t n)
{
	size_t from = at % RING_BYTES, first = RING_BYTES - from < n ? RING_BYTES - from : n;
	memcpy(to, ring->data + from, first);
	memcpy((char *)to + first, ring->data, n - first);
}

uint32_t wl_births_drain(struct wl_births *births, struct wl_hit *hits, uint32_t n)
{
	char record[LARGEST_RECORD] __attribute__((aligned(8)));
	uint32_t taken = 0;
	for (uint32_t i = 0; i < births->n_rings; i++) {
		struct ring *ring = &births->rings[i];
		uint64_t head = __atomic_load_n(&ring->head->data_head, __ATOMIC_ACQUIRE), at = ring->head->data_tail;
		while (at < head) {
			struct perf_event_header *header = (void *)record;
			struct wl_hit hit;
			copy_out(ring, at, record, sizeof *header);
			uint64_t size = header->size;
			if (size < sizeof *header || size > head - at)
				break; /* never seen; going on would read nonsense */
			if (size <= sizeof record) {
				copy_out(ring, at, record, size);
				if (take(births, header, &hit)) {
					if (taken < n)
						hits[taken++] = hit;
					else
						births->lost++;
				}
			}
			at += size;
		}
		__atomic_store_n(&ring->head->data_tail, head, __ATOMIC_RELEASE);
	}
	return taken;
}

int wl_births_find(const struct wl_births *births, int32_t pid, struct wl_life *life)
{
	if (pid <= 0 || births->lives[(uint32_t)pid % LIVES].pid != pid)
		return 0;
	*life = births->lives[(uint32_t)pid % LIVES];
	return 1;
}

uint64_t wl_births_lost(const struct wl_births *births)
{
	return births->lost;
}

void wl_births_close(struct wl_births *births)
{
	for (uint32_t i = 0; i < births->n_probes; i++)
		close(births->probes[i]);
	for (uint32_t i = 0; i < births->n_rings; i++) {
		munmap(births->rings[i].head, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES);
		close(births->rings[i].fd);
	}
	free(births->probes);
	free(births->rings);
	free(births);
}
