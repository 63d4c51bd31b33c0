/* trace_events.h: what is looked for in the kernel. */
#ifndef WL_TRACE_EVENTS_H
#define WL_TRACE_EVENTS_H

#include "wlat.h"

#include <stdbool.h>

enum wl_trace_scope {
	WL_OF_WRITER,  /* happening in the writer's context (also to it: an interrupt) */
	WL_ABOUT_WRITER, /* somebody else doing something to the writer */
	WL_OF_CPU,     /* anything on a CPU that the writer may use */
};

enum wl_trace_tier {
	WL_TIER_ALWAYS, /* also where every event costs something at each switch of the writer */
	WL_TIER_CHEAP,  /* always where events are counted per CPU: they cost only when they happen */
	WL_TIER_DEEP,   /* on request */
};

struct wl_trace_event {
	const char *name;   /* subsystem:event */
	const char *filter; /* %d is the writer's tid; NULL: what happens in the writer's context */
	uint8_t scope, tier;
	bool chain;
};

enum { WL_SWITCHED_OUT, WL_SWITCHES }; /* places in the table: the writer's own sched_switch, that of all */

extern const struct wl_trace_event wl_trace_events[];
extern const uint32_t wl_trace_event_count;

bool wl_trace_prepared(void);

/* Whether it is no tracepoint but a sample: where in the kernel the writer is, each time it has run for WL_SAMPLE_EVERY_NS. */
bool wl_trace_samples(uint32_t event);

/* The tracepoint's number and format, read once. The number is negative (-errno) where this kernel or user has none. */
int32_t wl_trace_event_id(uint32_t event);
const char *wl_trace_event_format(uint32_t event);

/* Where a field begins in the event's raw data; -ENODATA: not known. */
int wl_trace_field_at(uint32_t event, const char *name);

#endif
