/* wlat.h: the whole interface between the native core and Python.
 *
 * cffi reads this file with its preprocessor lines dropped, so constants are enums and there are no macros.
 *
 *   engine process                                            wlat process
 *     writer ---- two sets of interval histograms --> reporter --- struct wl_tick on stdout ---> native.py
 *     writer ---- stall ring ---------------------->    |
 *     precursor, janitor (segments)                     control <-- struct wl_settings on stdin -- engine client
 *
 * Both directions are plain byte streams, so they pass through sudo (which closes every descriptor above 2), need no memory
 * shared across a privilege boundary, and end in order: EOF on stdin is the request to leave.
 *
 * All times are CLOCK_MONOTONIC nanoseconds unless a name says otherwise. Every function returns 0 or -errno, prints nothing.
 */
#ifndef WLAT_H
#define WLAT_H

#include <stddef.h>
#include <stdint.h>

enum wl_limits {
	WL_ABI = 1,
	WL_TICK_MAGIC = 0x314b5457,     /* "WTK1" */
	WL_SETTINGS_MAGIC = 0x31545357, /* "WST1" */
	WL_CPU_WORDS = 64,              /* 4096 CPUs */
	WL_NODE_WORDS = 16,             /* 1024 nodes */
	WL_STALL_RING = 1024,           /* stalls kept until the reporter takes them; more are counted as lost */
	WL_PROBES = 64,                 /* tracepoints looked at, at most */
	WL_STALL_TRACE_BYTES = 65536,   /* kernel evidence of one stall, and of all stalls of one tick, at most */
	WL_TRACE_BYTES = 262144,
	WL_TRACER_BYTES = 131072,       /* of a description of the tracer */
};

/* Three populations. A write that touches no new page cannot meet page allocation or reclaim; only about 1 in 19 writes of 220 B does. */
enum wl_class { WL_IN_PAGE, WL_NEW_PAGE, WL_PREPARED, WL_CLASSES };

/* wake = begin - planned, service = end - begin, response = end - planned. */
enum wl_span { WL_WAKE, WL_SERVICE, WL_RESPONSE, WL_SPANS };

enum wl_mode { WL_SLEEP, WL_SPIN };

enum wl_prewarm { WL_PREWARM_OFF, WL_PREWARM_FALLOCATE, WL_PREWARM_READ, WL_PREWARM_WRITE };

enum wl_policy { WL_POLICY_DEFAULT, WL_POLICY_LOCAL, WL_POLICY_BIND, WL_POLICY_PREFER, WL_POLICY_INTERLEAVE };

/* Whether the kernel is asked why a write stalled: not, by what costs next to nothing, by all that is known (trace_events.c). */
/* How long the writer runs in the kernel between two looks at where it is, in WL_TRACE_DEEP. */
enum { WL_SAMPLE_EVERY_NS = 200000 };

/* WL_TRACE_PLAIN: as on, without call chains; to measure what those cost. */
enum wl_trace_mode { WL_TRACE_OFF, WL_TRACE_ON, WL_TRACE_DEEP, WL_TRACE_PLAIN };

/* How much it tells: see TraceLevel in wlat_tui/evidence.py. */
enum wl_trace_level { WL_LEVEL_NOTHING, WL_LEVEL_SWITCHES, WL_LEVEL_CHAINS, WL_LEVEL_FULL };

/* What a setting or a privilege can be refused for; index of wl_tick.refused, value 0 or errno. */
enum wl_request { WL_REQ_CPUS, WL_REQ_POLICY, WL_REQ_FIFO, WL_REQ_DMA_LATENCY, WL_REQ_MLOCK, WL_REQ_TIMERSLACK, WL_REQ_PREWARM, WL_REQUESTS };

/* What the writer cannot do right now; wl_tick.error holds the errno. */
enum wl_trouble { WL_FINE, WL_NO_SEGMENT, WL_WRITE_FAILED };

/* The desired state, always sent whole; the engine applies what differs from the state it is in.
 * The first one arrives on stdin before anything runs. Reserved and unused bits are zero. */
struct wl_settings {
	uint32_t magic;            /* WL_SETTINGS_MAGIC */
	uint32_t bytes;            /* sizeof(struct wl_settings) */
	uint64_t seq;              /* chosen by the sender, echoed in wl_tick.settings_seq once in force */
	uint64_t interval_ns;      /* 10 us .. 1 s */
	uint64_t threshold_ns;     /* over it in service, or in response without having queued: a stall */
	uint64_t tick_ns;          /* 50 ms .. 10 s */
	uint64_t segment_bytes;    /* whole pages; 1 MiB .. 1 GiB */
	uint64_t disk_limit_bytes; /* live + retained segments never exceed it; at least 3 segments */
	uint64_t prewarm_bytes;    /* size of a prepared segment: how far the precursor gets ahead */
	uint32_t write_bytes;      /* 1 .. 1 MiB */
	uint32_t mode;             /* enum wl_mode */
	uint32_t prewarm;          /* enum wl_prewarm */
	uint32_t policy;           /* enum wl_policy, of writer and precursor */
	uint32_t fifo_priority;    /* 0 = SCHED_OTHER, else SCHED_FIFO 1..50 */
	int32_t dma_latency_us;    /* held in /dev/cpu_dma_latency; -1 = not held */
	uint32_t trace;            /* enum wl_trace_mode */
	uint32_t reserved;
	uint64_t cpus[WL_CPU_WORDS];          /* writer's CPUs; all zero = every CPU it was started with */
	uint64_t policy_nodes[WL_NODE_WORDS]; /* for BIND, PREFER, INTERLEAVE */
};

/* One write, as it happened. Also the record of a stall. */
struct wl_write {
	uint64_t planned_ns;
	uint64_t begin_ns; /* 0: there is none */
	uint64_t end_ns;   /* 0 while it is still in the kernel */
	uint64_t offset;   /* in the segment */
	uint32_t segment;  /* counts from 0 */
	uint32_t class;    /* enum wl_class */
	uint32_t cpu;      /* where it ended */
	uint32_t backlog;  /* 0: the writer was free when it was planned; else slots due when it began, itself included */
};

/* One non-empty histogram of a tick: this head, then n wl_bucket. */
struct wl_histogram_head {
	uint16_t span;  /* enum wl_span */
	uint16_t class; /* enum wl_class */
	uint32_t n;
};
struct wl_bucket {
	uint32_t index; /* see wl_bucket_low_ns */
	uint32_t count;
};

/* What the kernel did around one stall: this head, then `bytes` of perf records (perf_event_open(2)), newest first. Samples carry
 * IDENTIFIER | TID | TIME | CPU, CALLCHAIN where a probe asks for it, RAW on level FULL; their IDENTIFIER is the place of the probe in
 * the last description, other records end with TID | TIME | CPU | IDENTIFIER. */
struct wl_trace {
	uint64_t planned_ns;    /* the stall's; it may be listed a tick later */
	uint64_t from_ns, to_ns; /* every record of this span was kept; from_ns is late when the ring had been overwritten already */
	uint32_t lost;          /* records lost in it */
	uint32_t omitted;       /* switches of others left out for want of room */
	uint32_t bytes;
	uint32_t reserved;
};

/* One thing looked for. */
struct wl_probe {
	char name[48];  /* subsystem:event */
	int32_t error;  /* 0: armed; else the errno that says why it is blind (EXDEV: only seen where whole CPUs are watched) */
	uint16_t deep;  /* looked at in WL_TRACE_DEEP only */
	uint16_t chain; /* its samples carry CALLCHAIN */
	uint32_t format_bytes;
};

/* How the writer is traced: this, n_probes wl_probe, then their formats (tracefs's text of the fields) one after the other. */
struct wl_tracer_head {
	uint32_t level, mode;
	uint32_t whole_cpus; /* 1: events of the writer's CPUs, 0: of its thread */
	uint32_t cpus, cpus_blind;
	int32_t error;       /* errno: why there is no ring on the thread, or on one of its CPUs */
	uint32_t n_probes;
};

/* One report: this struct, then n_stalls wl_write, n_histograms (head + buckets), n_traces (head + records), and last
 * tracer_bytes of a description of the tracer, when that has changed. */
struct wl_tick {
	uint32_t magic; /* WL_TICK_MAGIC */
	uint32_t bytes; /* of the whole message */
	uint64_t seq;   /* counts every tick the engine lived through; a hole means reports dropped because nobody read */
	uint64_t begin_ns, end_ns; /* the span whose writes are counted here */
	uint64_t wall_ns;          /* CLOCK_REALTIME at end_ns */
	uint64_t settings_seq;

	uint64_t writes[WL_CLASSES];
	uint64_t written_bytes;
	uint64_t skipped_slots; /* backlog beyond one second that was given up */
	uint64_t error_slots;   /* due while the writer could not write */
	uint64_t gap_slots;     /* due while the whole process was stopped or the machine suspended: not a stall */
	uint64_t gap_ns;
	uint64_t stalls;        /* writes over the threshold; those that only queued behind one are in the response histograms */
	uint64_t stalls_lost;   /* of them, not in the list: the ring was full */
	struct wl_write worst[WL_SPANS]; /* the exact worst by wake, service, response */
	struct wl_write inflight;        /* the write that is in the kernel at end_ns, if it is older than a millisecond */

	/* the writer */
	int32_t writer_tid;
	int32_t writer_cpu;
	int32_t writer_node;
	int32_t sched_policy;   /* SCHED_OTHER, SCHED_FIFO */
	int32_t sched_priority;
	uint32_t trouble;       /* enum wl_trouble */
	int32_t error;          /* errno of the trouble, 0 when fine */
	int32_t refused[WL_REQUESTS];
	uint64_t trouble_since_ns;
	uint64_t writer_cpu_ns; /* CPU time of the writer thread, since start */
	uint64_t engine_cpu_ns; /* CPU time of all its threads, since start */
	uint64_t clock_ns;      /* cost of one clock read, measured at start */

	/* the file */
	uint32_t segment;       /* number of the one being written */
	uint32_t segments_held; /* current + next + retained */
	uint64_t segment_offset, segment_size;
	uint64_t disk_bytes;    /* all segments held */

	/* the precursor */
	uint32_t prewarm;           /* method in force for the current segment, enum wl_prewarm */
	uint32_t precursor_late;    /* switches that found the next segment unfinished, since start */
	int32_t precursor_tid;
	int32_t precursor_cpu;
	int32_t precursor_node;
	uint32_t page_bytes;
	uint64_t prepared_ahead_pages;    /* prepared and not yet written: rest of this segment + the next one */
	uint64_t resident_pages;          /* of the pages asked about ... */
	uint64_t resident_of_pages;       /* ... in the next prepared segment; both 0 when there is none */
	uint64_t precursor_busy_ns;       /* time spent preparing, since start */
	uint32_t placed_pages;            /* of some of the prepared pages the node is known ... */
	uint32_t astray_pages;            /* ... and so many are not on the writer's */

	uint32_t n_stalls;
	uint32_t n_histograms;
	uint32_t n_traces;
	uint32_t tracer_bytes;
	uint64_t traces_lost;   /* stalls whose records did not fit into the report */
};

/* Run the engine on the directory dir_fd until in_fd ends, SIGTERM or SIGINT: blocks; starts and joins all its threads.
 * in_fd carries wl_settings, out_fd takes ticks (never blocks the writer: unread ticks merge, and seq shows the hole).
 * -EINVAL for settings outside the ranges above, else the error of what could not be started. */
int wl_engine_run(int dir_fd, int in_fd, int out_fd);

/* Why these settings cannot be used (a static sentence naming the field), or NULL if they can. */
const char *wl_settings_refuse(const struct wl_settings *settings);

/* Keep only what the engine needs (CAP_SYS_NICE, CAP_IPC_LOCK, CAP_PERFMON, CAP_SYS_RESOURCE) and become this user: files are then opened with the
 * user's own rights. Called once, by root, before wl_engine_run. */
int wl_become(uint32_t uid, uint32_t gid);

/* For a thread that measures nothing: it asks for long time slices, so that whoever wakes on its CPU, the writer too, runs at once and
 * not when the slice is over, some milliseconds later (kernel/sched/fair.c, since 6.12; before, nothing changes). Its children and
 * new threads do not inherit it. 0 or -errno. */
int wl_step_aside(void);

/* Read what tracefs says about the tracepoints, while there are rights to: before wl_become. -errno: none is readable. */
int wl_trace_prepare(void);

/* Try on the calling thread what can be traced here; ret takes the description (WL_TRACER_BYTES), nothing stays open. */
int wl_trace_try(unsigned char *ret, uint32_t *ret_bytes);

/* HDR layout: 1 ns units, 2048 sub-buckets (3 significant digits), up to 1 h; larger values land in the last bucket (the exact
 * worst is kept apart). */
uint32_t wl_bucket_count(void);
uint32_t wl_bucket_of(uint64_t ns);
uint64_t wl_bucket_low_ns(uint32_t index);
uint64_t wl_bucket_high_ns(uint32_t index); /* largest value that lands in it */

/* Add (sign 1) or take away (sign -1) n buckets to counts[wl_bucket_count()]. -ERANGE: an index out of range or a count below zero; nothing changed. */
int wl_histogram_add(uint64_t *counts, const struct wl_bucket *buckets, uint32_t n, int sign);

/* ret_ns[i] = the smallest bucket's high bound that has at least fraction q[i] (0..1, ascending) of all counts at or below it; 0 when empty. */
int wl_histogram_quantiles(const uint64_t *counts, const double *q, uint32_t n, uint64_t *ret_ns);
uint64_t wl_histogram_total(const uint64_t *counts);

/* n buckets in any order as ret, ascending: those of the largest values, one in exact_fraction (0: none), as they are, the rest
 * each in the middle of its group of so many neighbours. Returns how many (<= n). */
uint32_t wl_histogram_group(const struct wl_bucket *buckets, uint32_t n, uint32_t exact_fraction, uint32_t group, struct wl_bucket *ret);

/* The bare loop that `wlat bench fidelity` compares with: same schedule and file settings, one thread, nothing else.
 * Fills service and wake counts[wl_bucket_count()]; runs for duration_ns. */
int wl_bare_run(int dir_fd, const struct wl_settings *settings, uint64_t duration_ns, uint64_t *service_counts, uint64_t *wake_counts);

/* A loaded BPF program that traces something. */
struct wl_program {
	uint32_t id, uid;
	char name[16];
	char target[64]; /* function or tracepoint it is attached to; empty where the kernel does not tell */
};

/* At most n of them; returns how many, or -errno (-EPERM without CAP_SYS_ADMIN). */
int wl_programs(struct wl_program *programs, uint32_t n);

/* Keep only what looking at other users' processes needs (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH). Called once what needs more is armed. */
int wl_only_look(void);

/* The watcher: who else touches what the write path depends on. */

/* Masks of fanotify(7), which are the kernel's ABI. */
enum wl_touch { WL_ACCESS = 0x1, WL_MODIFY = 0x2, WL_CLOSED = 0x18, WL_OPENED = 0x20, WL_OVERFLOW = 0x4000 };

/* What one process did to a marked file or to a child of a marked directory since the last reading; like doings are merged. */
struct wl_touched {
	uint32_t mask; /* enum wl_touch */
	int32_t pid;   /* in our pid namespace; 0: in one that is not visible from here */
	char name[56]; /* of the child; empty for a marked file */
};

/* How events refer to what was touched. By handle costs nothing (proc: since 6.7); by descriptor the kernel opens the file once per event, and
 * wl_touch_read closes it; by child also names a marked directory's children (proc: since 6.7). */
enum wl_touch_naming { WL_BY_DESCRIPTOR, WL_BY_HANDLE, WL_BY_CHILD };

/* A new fanotify group, which never blocks and never asks anybody's permission; its descriptor, or -errno. */
int wl_touch_open(enum wl_touch_naming naming);
/* Mark a file, or with children the files in a directory. Opens nothing. */
int wl_touch_mark(int fd, const char *path, uint32_t mask, int children);
/* Take at most n; returns how many, 0 when there is nothing. */
int wl_touch_read(int fd, struct wl_touched *touched, uint32_t n);

/* One process as the kernel told of it while it lived: fork, exec, exit. 0: not seen. */
struct wl_life {
	int32_t pid, parent;
	uint64_t fork_ns, exec_ns, exit_ns;
	uint64_t named_ns; /* when it got this name */
	char comm[16];
};

/* A probe was hit. */
struct wl_hit {
	uint64_t at_ns;
	int32_t pid, tid;
	uint32_t tag; /* as given to wl_births_probe */
};

/* Births, names and deaths of all processes, from one perf ring per CPU; a table of the newest 16384 pids. Needs CAP_PERFMON. */
struct wl_births;
/* NULL and *error = -errno where that is refused. */
struct wl_births *wl_births_open(const uint32_t *cpus, uint32_t n, int *error);
/* Add an event (perf type and config; name: function of a kprobe, or NULL; filter: NULL or as in tracefs) on every CPU. It ends with us.
 * at_once: every hit makes the descriptors readable, else only a ring that fills. */
int wl_births_probe(struct wl_births *births, uint32_t type, uint64_t config, const char *name, const char *filter, uint32_t tag, int at_once);
/* Descriptors to poll; returns how many there are. */
uint32_t wl_births_fds(const struct wl_births *births, int32_t *fds, uint32_t n);
/* Take in all that the rings hold; hits come in no order between CPUs. Returns how many hits were put there; those beyond n are lost. */
uint32_t wl_births_drain(struct wl_births *births, struct wl_hit *hits, uint32_t n);
/* 0 when this pid was not seen, or has been pushed out by newer ones. */
int wl_births_find(const struct wl_births *births, int32_t pid, struct wl_life *life);
/* Records and hits lost since the start. */
uint64_t wl_births_lost(const struct wl_births *births);
void wl_births_close(struct wl_births *births);
/* Descriptor of the root of a tracefs: the mounted one, else one of our own that is attached nowhere and gone when closed. -errno. */
int wl_tracefs_open(void);

#endif
