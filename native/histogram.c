/* histogram.c: log-linear buckets (HDR layout) and what is computed from their counts. */
#include "histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint32_t wl_bucket_count(void)
{
	return WL_BUCKETS;
}

uint32_t wl_bucket_of(uint64_t ns)
{
	if (ns < 1u << WL_SUB_BITS)
		return (uint32_t)ns;
	if (ns >> WL_TOP_BITS)
		return WL_BUCKETS - 1;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - WL_HALF_BITS;
	return (shift << WL_HALF_BITS) + (uint32_t)(ns >> shift);
}

uint64_t wl_bucket_low_ns(uint32_t index)
{
	if (index < 1u << WL_SUB_BITS)
		return index;
	unsigned shift = (index >> WL_HALF_BITS) - 1;
	return (uint64_t)((index & ((1u << WL_HALF_BITS) - 1)) + (1u << WL_HALF_BITS)) << shift;
}

uint64_t wl_bucket_high_ns(uint32_t index)
{
	return wl_bucket_low_ns(index + 1) - 1;
}

int wl_histogram_add(uint64_t *counts, const struct wl_bucket *buckets, uint32_t n, int sign)
{
	for (uint32_t i = 0; i < n; i++) {
		if (buckets[i].index >= WL_BUCKETS)
			return -ERANGE;
		if (sign < 0 && counts[buckets[i].index] < buckets[i].count)
			return -ERANGE;
	}
	for (uint32_t i = 0; i < n; i++)
		counts[buckets[i].index] += sign < 0 ? -(uint64_t)buckets[i].count : buckets[i].count;
	return 0;
}

uint64_t wl_histogram_total(const uint64_t *counts)
{
	uint64_t total = 0;
	for (uint32_t i = 0; i < WL_BUCKETS; i++)
		total += counts[i];
	return total;
}

int wl_histogram_quantiles(const uint64_t *counts, const double *q, uint32_t n, uint64_t *ret_ns)
{
	uint64_t total = wl_histogram_total(counts), seen = 0;
	uint32_t index = 0;
	for (uint32_t i = 0; i < n; i++) {
		if (!(q[i] >= 0 && q[i] <= 1) || (i && q[i] < q[i - 1]))
			return -EINVAL;
		double exact = q[i] * (double)total;
		uint64_t rank = (uint64_t)exact;
		if ((double)rank < exact)
			rank++;
		if (rank == 0)
			rank = 1;
		while (index < WL_BUCKETS && seen + counts[index] < rank)
			seen += counts[index++];
		ret_ns[i] = total ? wl_bucket_high_ns(index) : 0;
	}
	return 0;
}

static int by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct wl_bucket *)a)->index, y = ((const struct wl_bucket *)b)->index;
	return (x > y) - (x < y);
}

uint32_t wl_histogram_group(const struct wl_bucket *buckets, uint32_t n, uint32_t exact_fraction, uint32_t group, struct wl_bucket *ret)
{
	uint64_t total = 0, taken = 0;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < n; i++)
		total += buckets[i].count;
	const uint64_t exact = exact_fraction ? total / exact_fraction + 1 : 0;
	memcpy(ret, buckets, n * sizeof *ret);
	qsort(ret, n, sizeof *ret, by_index);
	for (uint32_t i = n; i-- > 0;) {
		if (taken >= exact)
			ret[i].index = ret[i].index / group * group + group / 2;
		taken += ret[i].count;
	}
	/* the middle of a group may lie beyond the first that was kept exactly */
	qsort(ret, n, sizeof *ret, by_index);
	for (uint32_t i = 0; i < n; i++) {
		if (kept && ret[kept - 1].index == ret[i].index && ret[kept - 1].count <= UINT32_MAX - ret[i].count)
			ret[kept - 1].count += ret[i].count;
		else
			ret[kept++] = ret[i];
	}
	return kept;
}
