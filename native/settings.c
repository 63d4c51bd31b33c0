/* settings.c: which settings can be used. */
#include "wlat.h"

#include <unistd.h>

static const uint64_t MIB = 1 << 20, GIB = 1 << 30, US = 1000, MS = 1000000, SECOND = 1000000000;

static int has_nodes(const struct wl_settings *s)
{
	for (int i = 0; i < WL_NODE_WORDS; i++)
		if (s->policy_nodes[i])
			return 1;
	return 0;
}

static const char *refuse_file(const struct wl_settings *s, uint64_t page)
{
	if (s->segment_bytes < MIB || s->segment_bytes > GIB || s->segment_bytes % page)
		return "segment_bytes must be whole pages from 1 MiB to 1 GiB";
	if (s->prewarm_bytes < MIB || s->prewarm_bytes > GIB || s->prewarm_bytes % page)
		return "prewarm_bytes must be whole pages from 1 MiB to 1 GiB";
	uint64_t largest = s->segment_bytes > s->prewarm_bytes ? s->segment_bytes : s->prewarm_bytes;
	if (s->disk_limit_bytes < 3 * largest)
		return "disk_limit_bytes must hold at least 3 segments (of the larger of segment_bytes and prewarm_bytes)";
	if (s->write_bytes < 1 || s->write_bytes > MIB)
		return "write_bytes must be 1 byte to 1 MiB";
	if (s->prewarm > WL_PREWARM_WRITE)
		return "prewarm must be off, fallocate, read or write";
	return 0;
}

const char *wl_settings_refuse(const struct wl_settings *s)
{
	if (s->magic != WL_SETTINGS_MAGIC || s->bytes != sizeof *s)
		return "these settings are not of this version of wlat";
	if (s->interval_ns < 10 * US || s->interval_ns > SECOND)
		return "interval_ns must be 10 us to 1 s";
	if (s->threshold_ns < US || s->threshold_ns > 3600 * SECOND)
		return "threshold_ns must be 1 us to 1 h";
	if (s->tick_ns < 50 * MS || s->tick_ns > 10 * SECOND)
		return "tick_ns must be 50 ms to 10 s";
	if (s->mode > WL_SPIN)
		return "mode must be sleep or spin";
	if (s->policy > WL_POLICY_INTERLEAVE)
		return "policy must be default, local, bind, prefer or interleave";
	if (s->policy >= WL_POLICY_BIND && !has_nodes(s))
		return "policy_nodes must name a node for the policies bind, prefer and interleave";
	if (s->fifo_priority > 50)
		return "fifo_priority must be 0 (not real-time) to 50";
	if (s->dma_latency_us < -1 || s->dma_latency_us > 1000000)
		return "dma_latency_us must be -1 (not held) to 1000000";
	if (s->trace > WL_TRACE_PLAIN)
		return "trace must be off, on or deep";
	return refuse_file(s, (uint64_t)sysconf(_SC_PAGESIZE));
}
