/* A writer stuck in write(): ticks still come on time and show it, and leaving does not wait for it. */
#include "check.h"
#include "wlat.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct wl_settings s = {.magic = WL_SETTINGS_MAGIC, .bytes = sizeof s, .seq = 1, .interval_ns = 200000, .threshold_ns = 1000000,
				.tick_ns = 50000000, .segment_bytes = 1 << 20, .disk_limit_bytes = 5 << 20, .prewarm_bytes = 1 << 20,
				.write_bytes = 220, .dma_latency_us = -1};
	int in[2], out[2], status;
	CHECK(argc == 2 && pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0);
	pid_t engine = fork();
	if (engine == 0) {
		close(in[1]);
		close(out[0]);
		exit(wl_engine_run(open(argv[1], O_RDONLY | O_DIRECTORY), in[0], out[1]) ? 2 : 0);
	}
	close(in[0]);
	close(out[1]);
	CHECK_EQUAL(write(in[1], &s, sizeof s), sizeof s);
	struct wl_tick t;
	for (int i = 0; i < 8; i++) { /* silent ticks are a head only, but for what the first says about tracing */
		CHECK_EQUAL(read(out[0], &t, sizeof t), sizeof t);
		CHECK_EQUAL(t.magic, WL_TICK_MAGIC);
		CHECK_EQUAL(t.bytes, sizeof t + t.tracer_bytes);
		CHECK(t.tracer_bytes == 0 || i == 0);
		for (uint32_t n = 0; n < t.tracer_bytes; n++)
			CHECK_EQUAL(read(out[0], &(char){0}, 1), 1);
		CHECK_EQUAL(t.seq, i);
		CHECK_EQUAL(t.writes[0] + t.writes[1], 0);
	}
	CHECK(t.inflight.begin_ns > 0);
	CHECK_EQUAL(t.inflight.end_ns, 0);
	CHECK_EQUAL(t.inflight.offset, 99 * 220);
	CHECK(t.end_ns - t.inflight.begin_ns > 200000000);
	close(in[1]);
	CHECK_EQUAL(waitpid(engine, &status, 0), engine);
	CHECK_EQUAL(status, 0);
	return 0;
}
