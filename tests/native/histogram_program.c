/* Histograms against a sorted array, and the edges of the layout. */
#include "check.h"
#include "interval.h"

#include <errno.h>
#include <string.h>

enum { VALUES = 20000 };

static uint64_t state = 42;

static uint64_t next_random(void) /* xorshift64 */
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

static void buckets_tile_the_range_and_keep_three_digits(void)
{
	for (uint32_t i = 0; i + 1 < wl_bucket_count(); i++) {
		CHECK_EQUAL(wl_bucket_high_ns(i) + 1, wl_bucket_low_ns(i + 1));
		CHECK_EQUAL(wl_bucket_of(wl_bucket_low_ns(i)), i);
		CHECK_EQUAL(wl_bucket_of(wl_bucket_high_ns(i)), i);
		CHECK((wl_bucket_high_ns(i) - wl_bucket_low_ns(i)) * 1000 <= wl_bucket_low_ns(i));
	}
	CHECK_EQUAL(wl_bucket_of(UINT64_MAX), wl_bucket_count() - 1);
	CHECK(wl_bucket_low_ns(wl_bucket_count() - 1) > 3600ull * 1000000000);
}

static void quantiles_are_those_of_the_sorted_values(void)
{
	static uint64_t values[VALUES];
	uint64_t *counts = calloc(wl_bucket_count(), sizeof *counts), found[6];
	const double q[6] = {0, 0.5, 0.99, 0.999, 0.9999, 1};
	for (int i = 0; i < VALUES; i++) {
		values[i] = next_random() >> (24 + next_random() % 36);
		counts[wl_bucket_of(values[i])]++;
	}
	qsort(values, VALUES, sizeof *values, ascending);
	CHECK_EQUAL(wl_histogram_total(counts), VALUES);
	CHECK_EQUAL(wl_histogram_quantiles(counts, q, 6, found), 0);
	for (int i = 0; i < 6; i++) {
		int rank = (int)(q[i] * VALUES);
		uint64_t exact = values[rank ? rank - 1 : 0];
		CHECK_EQUAL(wl_bucket_of(found[i]), wl_bucket_of(exact));
		CHECK(found[i] >= exact);
	}
	const double descending[2] = {0.9, 0.1}, outside[1] = {1.5};
	CHECK_EQUAL(wl_histogram_quantiles(counts, descending, 2, found), -EINVAL);
	CHECK_EQUAL(wl_histogram_quantiles(counts, outside, 1, found), -EINVAL);
	memset(counts, 0, wl_bucket_count() * sizeof *counts);
	CHECK_EQUAL(wl_histogram_quantiles(counts, q, 6, found), 0);
	CHECK_EQUAL(found[5], 0);
	free(counts);
}

static void adding_is_all_or_nothing(void)
{
	uint64_t *counts = calloc(wl_bucket_count(), sizeof *counts);
	struct wl_bucket good[2] = {{5, 7}, {wl_bucket_count() - 1, 1}}, bad[2] = {{5, 1}, {wl_bucket_count(), 1}}, more[1] = {{5, 8}};
	CHECK_EQUAL(wl_histogram_add(counts, good, 2, 1), 0);
	CHECK_EQUAL(wl_histogram_add(counts, bad, 2, 1), -ERANGE);
	CHECK_EQUAL(wl_histogram_add(counts, more, 1, -1), -ERANGE);
	CHECK_EQUAL(wl_histogram_total(counts), 8);
	CHECK_EQUAL(wl_histogram_add(counts, good, 2, -1), 0);
	CHECK_EQUAL(wl_histogram_total(counts), 0);
	free(counts);
}

static void clearing_costs_what_was_touched_and_leaves_nothing(void)
{
	static struct wl_interval set;
	struct wl_counts *c = &set.histograms[WL_SERVICE][WL_NEW_PAGE];
	for (int i = 0; i < VALUES; i++)
		wl_counts_record(c, next_random() % 5000);
	wl_counts_record(c, UINT64_MAX);
	CHECK(c->n_touched <= 5001);
	set.gap_ns = 3;
	wl_interval_clear(&set);
	const unsigned char *bytes = (const unsigned char *)&c->counts;
	for (size_t i = 0; i < sizeof c->counts; i++)
		CHECK_EQUAL(bytes[i], 0);
	CHECK_EQUAL(set.gap_ns, 0);
	CHECK_EQUAL(c->n_touched, 0);
}

static void a_count_stops_at_its_top_instead_of_wrapping(void)
{
	static struct wl_counts c;
	wl_counts_record(&c, 7);
	c.counts[7] = UINT32_MAX - 1;
	wl_counts_record(&c, 7);
	wl_counts_record(&c, 7);
	CHECK_EQUAL(c.counts[7], UINT32_MAX);
	CHECK_EQUAL(c.n_touched, 1);
}

static void grouping_keeps_every_count_and_the_largest_where_they_are(void)
{
	const struct wl_bucket in[] = {{100, 3}, {40, 95}, {41, 1}, {33, 2}, {101, 1}};
	struct wl_bucket out[5];
	CHECK_EQUAL(wl_histogram_group(in, 5, 100, 32, out), 3); /* 102 counts: two of them exactly */
	CHECK_EQUAL(out[0].index, 48);
	CHECK_EQUAL(out[0].count, 98);
	CHECK_EQUAL(out[1].index, 100); /* the second largest lies in there */
	CHECK_EQUAL(out[1].count, 3);
	CHECK_EQUAL(out[2].index, 101);
	CHECK_EQUAL(wl_histogram_group(in, 5, 0, 32, out), 2);
	CHECK_EQUAL(out[1].index, 112);
	CHECK_EQUAL(out[1].count, 4);
	/* a count that would not fit stays in two parts */
	const struct wl_bucket full[] = {{33, UINT32_MAX}, {34, 1}};
	CHECK_EQUAL(wl_histogram_group(full, 2, 0, 32, out), 2);
	CHECK_EQUAL(wl_histogram_group(full, 0, 100, 32, out), 0);
}

static void a_full_ring_refuses_and_keeps_what_it_has(void)
{
	static struct wl_ring ring;
	static struct wl_write taken[WL_STALL_RING];
	ring.head = ring.tail = UINT32_MAX - 10; /* so that positions wrap within the test */
	for (int i = 0; i < WL_STALL_RING; i++)
		CHECK_EQUAL(wl_ring_push(&ring, &(struct wl_write){.begin_ns = (uint64_t)i + 1}), 0);
	CHECK_EQUAL(wl_ring_push(&ring, &(struct wl_write){.begin_ns = 9999}), -1);
	CHECK_EQUAL(wl_ring_take(&ring, taken, 10), 10);
	CHECK_EQUAL(wl_ring_take(&ring, taken + 10, WL_STALL_RING), WL_STALL_RING - 10);
	for (int i = 0; i < WL_STALL_RING; i++)
		CHECK_EQUAL(taken[i].begin_ns, i + 1);
	CHECK_EQUAL(wl_ring_take(&ring, taken, 1), 0);
}

int main(void)
{
	buckets_tile_the_range_and_keep_three_digits();
	quantiles_are_those_of_the_sorted_values();
	adding_is_all_or_nothing();
	clearing_costs_what_was_touched_and_leaves_nothing();
	a_count_stops_at_its_top_instead_of_wrapping();
	grouping_keeps_every_count_and_the_largest_where_they_are();
	a_full_ring_refuses_and_keeps_what_it_has();
	return 0;
}
