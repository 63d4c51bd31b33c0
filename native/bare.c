/* bare.c: sleep, clock, write, clock, histogram and nothing else: what `wlat bench fidelity` compares the writer with. */
#include "place.h"
#include "platform.h"
#include "segments.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

struct bare {
	const struct wl_settings *settings;
	int *fds; /* all of them opened before the loop, closed after it: the loop has no janitor */
	uint32_t n;
	unsigned char *buffer;
	uint64_t *service, *wake;
};

static int loop(struct bare *b, uint64_t duration_ns)
{
	const struct wl_settings *s = b->settings;
	uint64_t position = 0, planned = wl_now() + s->interval_ns, until = planned + duration_ns, end = 0;
	for (uint32_t i = 0; planned < until; planned += s->interval_ns) {
		if (position + s->write_bytes > s->segment_bytes) {
			position = 0;
			i = (i + 1) % b->n;
		}
		if (s->mode == WL_SPIN)
			while (wl_now() < planned)
				wl_relax();
		else if (end < planned)
			wl_sleep_until(planned);
		uint64_t begin = wl_now();
		ssize_t n = wl_put(b->fds[i], b->buffer, s->write_bytes);
		end = wl_now();
		if (n != (ssize_t)s->write_bytes)
			return n < 0 ? -errno : -ENOSPC;
		b->service[wl_bucket_of(end - begin)]++;
		b->wake[wl_bucket_of(begin > planned ? begin - planned : 0)]++;
		position += s->write_bytes;
	}
	return 0;
}

static int open_all(struct bare *b, int dir_fd)
{
	for (uint32_t i = 0; i < b->n; i++)
		if ((b->fds[i] = wl_segment_open(dir_fd)) < 0)
			return b->fds[i];
	return 0;
}

int wl_bare_run(int dir_fd, const struct wl_settings *s, uint64_t duration_ns, uint64_t *service_counts, uint64_t *wake_counts)
{
	if (wl_settings_refuse(s))
		return -EINVAL;
	struct wl_cpus before, cpus;
	struct bare b = {.settings = s, .service = service_counts, .wake = wake_counts, .buffer = malloc(s->write_bytes)};
	uint64_t per_segment = s->segment_bytes / s->write_bytes, writes = duration_ns / s->interval_ns + 1;
	b.n = (uint32_t)(writes / per_segment + 1);
	if ((uint64_t)b.n * s->segment_bytes > s->disk_limit_bytes + s->segment_bytes || b.n > WL_SEGMENTS) {
		free(b.buffer);
		return -EFBIG; /* a shorter run, or a higher disk limit */
	}
	b.fds = malloc(b.n * sizeof *b.fds);
	memset(b.fds, -1, b.n * sizeof *b.fds);
	memset(b.buffer, 'w', s->write_bytes);
	memcpy(cpus.words, s->cpus, sizeof cpus.words);
	int slack = prctl(PR_GET_TIMERSLACK), error = wl_place_started_with(&before), pinned = -1;
	if (error == 0 && (error = -open_all(&b, dir_fd)) == 0) {
		pinned = wl_place_thread(0, &cpus); /* EINVAL for the empty set: not pinned, as in the engine */
		prctl(PR_SET_TIMERSLACK, 1);
		error = -loop(&b, duration_ns);
		prctl(PR_SET_TIMERSLACK, slack);
		if (pinned == 0)
			wl_place_thread(0, &before);
	}
	for (uint32_t i = 0; i < b.n; i++)
		if (b.fds[i] >= 0)
			close(b.fds[i]);
	free(b.fds);
	free(b.buffer);
	return -error;
}
