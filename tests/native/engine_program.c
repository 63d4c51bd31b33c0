/* The whole engine on a real directory (argv[1]), driven through its pipes like wlat does; meant to run under the sanitizers.
 * Settings change and ticks are read at the same time as the writer runs as fast as it may. */
#include "check.h"
#include "wlat.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t MIB = 1 << 20, US = 1000, MS = 1000000;

static struct wl_settings settings(void)
{
	return (struct wl_settings){.magic = WL_SETTINGS_MAGIC, .bytes = sizeof(struct wl_settings), .seq = 1, .interval_ns = 20 * US,
				    .threshold_ns = 50 * US, .tick_ns = 50 * MS, .segment_bytes = MIB, .disk_limit_bytes = 5 * MIB,
				    .prewarm_bytes = MIB, .write_bytes = 220, .dma_latency_us = -1};
}

static void read_whole(int fd, void *to, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = read(fd, (char *)to + have, n - have);
		CHECK(got > 0);
		have += (size_t)got;
	}
}

struct totals {
	uint64_t ticks, writes[WL_CLASSES], counted[WL_CLASSES], stalls, listed, lost, settings_seq, last_seq;
};

/* One tick, added to the totals; false at the end of the stream. */
static int add_tick(int fd, struct totals *all)
{
	static unsigned char rest[4 << 20];
	struct wl_tick t;
	ssize_t first = read(fd, &t, 1);
	if (first == 0)
		return 0;
	CHECK_EQUAL(first, 1);
	read_whole(fd, (char *)&t + 1, sizeof t - 1);
	CHECK_EQUAL(t.magic, WL_TICK_MAGIC);
	CHECK(t.bytes - sizeof t <= sizeof rest);
	read_whole(fd, rest, t.bytes - sizeof t);
	size_t at = t.n_stalls * sizeof(struct wl_write);
	for (uint32_t i = 0; i < t.n_histograms; i++) {
		struct wl_histogram_head head;
		memcpy(&head, rest + at, sizeof head);
		at += sizeof head;
		for (uint32_t b = 0; b < head.n; b++, at += sizeof(struct wl_bucket)) {
			struct wl_bucket bucket;
			memcpy(&bucket, rest + at, sizeof bucket);
			CHECK(bucket.count > 0);
			all->counted[head.class] += head.span == WL_SERVICE ? bucket.count : 0;
		}
	}
	for (uint32_t i = 0; i < t.n_traces; i++) {
		struct wl_trace trace;
		memcpy(&trace, rest + at, sizeof trace);
		at += sizeof trace + trace.bytes;
		CHECK(trace.from_ns > 0 && trace.bytes <= WL_STALL_TRACE_BYTES);
	}
	CHECK_EQUAL(at + t.tracer_bytes, t.bytes - sizeof t);
	CHECK(t.disk_bytes <= 5 * MIB);
	CHECK(t.inflight.begin_ns < t.end_ns); /* never a write that began after what is reported */
	for (int class = 0; class < WL_CLASSES; class++)
		all->writes[class] += t.writes[class];
	all->stalls += t.stalls;
	all->listed += t.n_stalls;
	all->lost += t.stalls_lost;
	all->settings_seq = t.settings_seq;
	all->last_seq = t.seq;
	all->ticks++;
	return 1;
}

static bool every_class_was_seen(const struct totals *all)
{
	for (int class = 0; class < WL_CLASSES; class++)
		if (all->writes[class] == 0)
			return false;
	return true;
}

static void drive(int to_engine, int from_engine, struct totals *all)
{
	struct wl_settings s = settings();
	CHECK_EQUAL(write(to_engine, &s, sizeof s), sizeof s);
	for (int round = 0; round < 24 || (round < 480 && !every_class_was_seen(all)); round++) {
		for (int i = 0; i < 3; i++)
			CHECK(add_tick(from_engine, all));
		s.seq++;
		s.prewarm = (uint32_t)round % 4;
		s.interval_ns = (round % 3 ? 20 : 100) * US;
		s.mode = round % 5 == 4 ? WL_SPIN : WL_SLEEP;
		s.write_bytes = round % 2 ? 220 : 4099;
		s.trace = (uint32_t)round % 3; /* off, on, deep */
		CHECK_EQUAL(write(to_engine, &s, sizeof s), sizeof s);
		if (round == 12)
			usleep(400000); /* a reader that is away: the writer's interval goes on */
	}
	close(to_engine);
	while (add_tick(from_engine, all))
		;
	CHECK_EQUAL(all->settings_seq, s.seq);
}

int main(int argc, char **argv)
{
	int in[2], out[2], status;
	struct totals all = {0};
	CHECK(argc == 2 && pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	pid_t engine = fork();
	if (engine == 0) {
		close(in[1]);
		close(out[0]);
		int dir = open(argv[1], O_RDONLY | O_DIRECTORY), result = wl_engine_run(dir, in[0], out[1]);
		fprintf(stderr, result ? "engine: %s\n" : "", strerror(-result));
		exit(result ? 2 : 0);
	}
	close(in[0]);
	close(out[1]);
	drive(in[1], out[0], &all);
	CHECK_EQUAL(waitpid(engine, &status, 0), engine);
	CHECK_EQUAL(status, 0);
	for (int class = 0; class < WL_CLASSES; class++) {
		CHECK_EQUAL(all.counted[class], all.writes[class]);
		CHECK(all.writes[class] > 0);
	}
	CHECK_EQUAL(all.listed + all.lost, all.stalls);
	printf("%llu ticks, %llu in-page, %llu new-page, %llu prepared, %llu stalls\n", (unsigned long long)all.ticks,
	       (unsigned long long)all.writes[0], (unsigned long long)all.writes[1], (unsigned long long)all.writes[2],
	       (unsigned long long)all.stalls);
	return 0;
}
