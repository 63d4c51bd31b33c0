/* histogram.c: log-linear buckets (HDR layout) and what is computed from their counts. */
#include "wlat.h"

#include <errno.h>

enum {
	SUB_BITS = 11, /* 2048 sub-buckets: three significant digits */
	HALF_BITS = SUB_BITS - 1,
	TOP_BITS = 42, /* 2^42 ns is 73 minutes, the first power of two above an hour */
	/* values below 2^11 one bucket each, then 1024 buckets per power of two */
	BUCKETS = (1 << SUB_BITS) + (TOP_BITS - SUB_BITS) * (1 << HALF_BITS),
};

uint32_t wl_bucket_count(void)
{
	return BUCKETS;
}

uint32_t wl_bucket_of(uint64_t ns)
{
	if (ns < 1u << SUB_BITS)
		return (uint32_t)ns;
	if (ns >> TOP_BITS)
		return BUCKETS - 1;
	unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - HALF_BITS;
	return (shift << HALF_BITS) + (uint32_t)(ns >> shift);
}

uint64_t wl_bucket_low_ns(uint32_t index)
{
	if (index < 1u << SUB_BITS)
		return index;
	unsigned shift = (index >> HALF_BITS) - 1;
	return (uint64_t)((index & ((1u << HALF_BITS) - 1)) + (1u << HALF_BITS)) << shift;
}

uint64_t wl_bucket_high_ns(uint32_t index)
{
	return wl_bucket_low_ns(index + 1) - 1;
}

int wl_histogram_add(uint64_t *counts, const struct wl_bucket *buckets, uint32_t n, int sign)
{
	for (uint32_t i = 0; i < n; i++) {
		if (buckets[i].index >= BUCKETS)
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
	for (uint32_t i = 0; i < BUCKETS; i++)
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
		while (index < BUCKETS && seen + counts[index] < rank)
			seen += counts[index++];
		ret_ns[i] = total ? wl_bucket_high_ns(index) : 0;
	}
	return 0;
}
