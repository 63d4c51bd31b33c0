/* A day at 5,000 writes/s on the virtual clock: nothing overflows, nothing drifts, nothing is lost. */
#include "virtual.h"

enum { US = 1000, S = 1000000000, INTERVAL = 200 * US };
static const uint64_t WRITES = 24ull * 3600 * 5000;

static uint64_t seen, seen_bytes, seen_counts, ticks;

/* What the reporter does, without a reporter: ask five times per second (virtual), take, empty. */
static void collect(struct wl_interval *set)
{
	for (int class = 0; class < WL_CLASSES; class++) {
		seen += set->writes[class];
		seen_counts += count_of(&set->histograms[WL_SERVICE][class]);
	}
	seen_bytes += set->written_bytes;
	CHECK_EQUAL(set->skipped_slots + set->error_slots + set->gap_slots + set->stalls, 0);
	ticks++;
}

static ssize_t day(size_t n)
{
	virtual_now += 1 * US + written % 4096;
	if (written % 1000 == 0) {
		uint32_t swaps = atomic_load(&w->swaps);
		if (swaps == ticks + 1) {
			struct wl_interval *set = &w->sets[ticks % 2];
			collect(set);
			wl_interval_clear(set);
		}
		atomic_store(&w->swap_at_ns, virtual_now);
	}
	return (ssize_t)n;
}

int main(int argc, char **argv)
{
	uint64_t writes = argc > 1 ? strtoull(argv[1], NULL, 10) : WRITES;
	new_writer();
	uint64_t begin = virtual_now;
	struct wl_interval *rest = play(INTERVAL, 220, writes, day);
	uint64_t first_plan = begin + INTERVAL; /* as orders say */
	CHECK_EQUAL(w->planned, first_plan + writes * INTERVAL);
	if (atomic_load(&w->swaps) == ticks + 1)
		collect(&w->sets[ticks % 2]);
	collect(rest);
	CHECK_EQUAL(seen, writes);
	CHECK_EQUAL(seen_counts, writes);
	CHECK_EQUAL(seen_bytes, writes * 220);
	/* and by arithmetic: what a reader who stays away all day leaves in one bucket still fits it, and a tick's clock lasts 500 years */
	CHECK(WRITES < UINT32_MAX);
	CHECK(UINT64_MAX / 365 / 24 / 3600 / S > 500);
	return 0;
}
