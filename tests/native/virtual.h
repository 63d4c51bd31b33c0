/* virtual.h: a writer on a virtual clock: every write costs what the scene says, and the scene may act at each of them. */
#include "check.h"
#include "virtual_platform.h"
#include "writer.h"

#include <string.h>
#include <sys/mman.h>

uint64_t virtual_now = 1000000000000;

static struct wl_writer *w;
static struct wl_segment segments[3];
static uint64_t written, stop_after, sleeps;
static ssize_t (*on_write)(size_t n); /* moves virtual_now; returns what write() returns */
static void (*on_sleep)(uint64_t until);

void virtual_sleep(uint64_t until)
{
	sleeps++;
	if (on_sleep)
		on_sleep(until);
	else if (until > virtual_now)
		virtual_now = until;
}

ssize_t virtual_put(size_t n)
{
	if (++written >= stop_after)
		atomic_fetch_or(&w->attention, WL_ATTEND_LEAVE);
	return on_write(n);
}

static struct wl_segment *segment(int i, uint64_t size, uint64_t prepared_pages)
{
	segments[i] = (struct wl_segment){.fd = -1, .size = size, .ready = true, .prepared_pages = prepared_pages};
	return &segments[i];
}

static struct wl_interval *play(uint64_t interval_ns, uint32_t write_bytes, uint64_t writes, ssize_t (*write)(size_t))
{
	struct wl_settings settings = {.seq = 1, .interval_ns = interval_ns, .threshold_ns = 1000000, .write_bytes = write_bytes};
	on_write = write;
	written = sleeps = 0;
	stop_after = writes;
	wl_writer_order(w, &settings);
	wl_writer_loop(w);
	return &w->sets[w->active];
}

static void new_writer(void)
{
	if (w) {
		wl_writer_discard(w);
		munmap(w, sizeof *w);
	}
	w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	on_sleep = NULL;
	wl_writer_prepare(w, 4096);
	w->shelf.next = segment(0, 1ull << 40, 0);
}

static uint64_t count_of(struct wl_counts *c)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < c->n_touched; i++)
		sum += c->counts[c->touched[i]];
	return sum;
}
