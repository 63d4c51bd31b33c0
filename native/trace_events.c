/* trace_events.c: the table of tracepoints, and what tracefs says about them. To look for one more, add a line. */
#include "trace_events.h"
#include "tracefs.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two lines for sched_switch: a chain is taken only where the writer did not go to sleep by itself (that is the wait for its
 * plan, and a stack costs 2 us). The second one brings who had the CPU meanwhile. */
const struct wl_trace_event wl_trace_events[] = {
	{"sched:sched_switch", "prev_pid == %d && prev_state != 1", WL_OF_CPU, WL_TIER_ALWAYS, true},
	{"sched:sched_switch", "prev_pid != %d || prev_state == 1", WL_OF_CPU, WL_TIER_CHEAP, false},
	{"sched:sched_waking", "pid == %d", WL_ABOUT_WRITER, WL_TIER_CHEAP, false},
	{"lock:contention_begin", NULL, WL_OF_WRITER, WL_TIER_ALWAYS, true},
	{"lock:contention_end", NULL, WL_OF_WRITER, WL_TIER_ALWAYS, false},
	{"vmscan:mm_vmscan_direct_reclaim_begin", NULL, WL_OF_WRITER, WL_TIER_ALWAYS, true},
	{"vmscan:mm_vmscan_direct_reclaim_end", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"vmscan:mm_vmscan_memcg_reclaim_begin", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"vmscan:mm_vmscan_memcg_reclaim_end", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"vmscan:mm_vmscan_node_reclaim_begin", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"vmscan:mm_vmscan_node_reclaim_end", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"vmscan:mm_vmscan_throttled", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"vmscan:mm_shrink_slab_start", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"vmscan:mm_shrink_slab_end", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"compaction:mm_compaction_try_to_compact_pages", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"compaction:mm_compaction_begin", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"compaction:mm_compaction_end", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"writeback:balance_dirty_pages", NULL, WL_OF_WRITER, WL_TIER_ALWAYS, true},
	{"writeback:folio_wait_writeback", NULL, WL_OF_WRITER, WL_TIER_ALWAYS, true},
	{"jbd2:jbd2_lock_buffer_stall", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"xfs:xfs_log_grant_sleep", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"xfs:xfs_log_grant_wake", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"exceptions:page_fault_user", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"exceptions:page_fault_kernel", NULL, WL_OF_WRITER, WL_TIER_CHEAP, true},
	{"irq:irq_handler_entry", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"irq:irq_handler_exit", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"irq:softirq_entry", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"irq:softirq_exit", NULL, WL_OF_WRITER, WL_TIER_CHEAP, false},
	{"irq_vectors:call_function_single_entry", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"irq_vectors:call_function_single_exit", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"irq_vectors:call_function_entry", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"irq_vectors:call_function_exit", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"irq_vectors:local_timer_entry", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"irq_vectors:local_timer_exit", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"tlb:tlb_flush", NULL, WL_OF_WRITER, WL_TIER_DEEP, true},
	{"block:block_rq_issue", NULL, WL_OF_WRITER, WL_TIER_DEEP, true},
	{"jbd2:jbd2_handle_start", NULL, WL_OF_WRITER, WL_TIER_DEEP, true},
	{"kmem:mm_page_alloc", NULL, WL_OF_WRITER, WL_TIER_DEEP, true},
	{"kmem:mm_page_alloc_zone_locked", NULL, WL_OF_WRITER, WL_TIER_DEEP, false},
	{"kmem:kmem_cache_alloc", NULL, WL_OF_WRITER, WL_TIER_DEEP, true},
	{"power:cpu_idle", NULL, WL_OF_CPU, WL_TIER_DEEP, false},
	{"software:cpu_clock", NULL, WL_OF_WRITER, WL_TIER_DEEP, true},
};
enum { COUNT = sizeof wl_trace_events / sizeof *wl_trace_events, FORMAT_BYTES = 16384 };
const uint32_t wl_trace_event_count = COUNT;
_Static_assert((int)COUNT <= (int)WL_PROBES, "the report has room for every event");

static struct {
	bool read;
	int32_t ids[COUNT];
	char *formats[COUNT]; /* kept for the process's life */
} known;

static int32_t read_event(int tracefs, const char *name, char *text, char **ret_format)
{
	char path[128];
	int split = (int)strcspn(name, ":");
	snprintf(path, sizeof path, "events/%.*s/%s/id", split, name, name + split + 1);
	long n = wl_tracefs_read(tracefs, path, text, FORMAT_BYTES);
	if (n < 0)
		return (int32_t)n;
	int32_t id = atoi(text);
	snprintf(path, sizeof path, "events/%.*s/%s/format", split, name, name + split + 1);
	n = wl_tracefs_read(tracefs, path, text, FORMAT_BYTES);
	char *end = n > 0 ? strstr(text, "\nprint fmt:") : NULL; /* only the fields are of use */
	if (end)
		*end = '\0';
	*ret_format = n > 0 ? strdup(text) : NULL;
	return id > 0 ? id : -EINVAL;
}

bool wl_trace_samples(uint32_t event)
{
	return strncmp(wl_trace_events[event].name, "software:", strlen("software:")) == 0;
}

int wl_trace_prepare(void)
{
	char *text = malloc(FORMAT_BYTES);
	if (text == NULL)
		return -ENOMEM;
	int tracefs = wl_tracefs_open();
	for (uint32_t i = 0; i < COUNT; i++)
		known.ids[i] = wl_trace_samples(i) ? PERF_COUNT_SW_CPU_CLOCK
			       : tracefs < 0	    ? tracefs
						    : read_event(tracefs, wl_trace_events[i].name, text, &known.formats[i]);
	known.read = true;
	free(text);
	if (tracefs >= 0)
		close(tracefs);
	return tracefs < 0 ? tracefs : 0;
}

int32_t wl_trace_event_id(uint32_t event)
{
	return known.read ? known.ids[event] : -ENODATA;
}

const char *wl_trace_event_format(uint32_t event)
{
	return known.formats[event] ? known.formats[event] : "";
}

int wl_trace_field_at(uint32_t event, const char *name)
{
	char start[64];
	int at;
	snprintf(start, sizeof start, " %s;\toffset:", name);
	const char *field = strstr(wl_trace_event_format(event), start);
	return field && sscanf(field + strlen(start), "%d", &at) == 1 && at >= 0 ? at : -ENODATA;
}

bool wl_trace_prepared(void)
{
	return known.read;
}
