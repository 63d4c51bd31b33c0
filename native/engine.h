/* engine.h: all of one engine, in one locked mapping. */
#ifndef WL_ENGINE_H
#define WL_ENGINE_H

#include "place.h"
#include "tracer.h"
#include "writer.h"

struct wl_engine {
	struct wl_writer writer;
	struct wl_segments segments;
	struct wl_tracer tracer;

	pthread_mutex_t settings_lock;
	struct wl_settings settings; /* in force or on its way; under settings_lock */
	struct wl_cpus started_with;
	_Atomic uint32_t places;       /* how often it was changed where writer and pages shall be */
	_Atomic uint32_t places_swaps; /* the writer's swaps at the last of these changes */
	uint32_t place;                /* of them, what segments are opened for now; the janitor's */
	_Atomic int refused[WL_REQUESTS];

	int out_fd;
	_Atomic bool leaving;
	_Atomic bool writer_gone; /* both sets are the reporter's now */
	uint64_t clock_ns, page_bytes, cpu_base_ns;
	_Atomic pid_t writer_tid, precursor_tid, control_tid, reporter_tid, janitor_tid;
	_Atomic int precursor_cpu, precursor_node;
	_Atomic uint64_t resident_pages, resident_of_pages, precursor_busy_ns;
	_Atomic uint32_t placed_pages, astray_pages;
	pthread_t writer_thread, reporter_thread, janitor_thread, precursor_thread;
};

/* A copy of the settings as they are now. */
struct wl_settings wl_engine_settings(struct wl_engine *engine);

/* Sends a wl_tick per tick_ns until leaving, and one last with what is left. */
void *wl_reporter_main(void *engine);

/* Sleep on CLOCK_MONOTONIC until a moment or until leaving, whichever comes first (looked at every 50 ms). */
void wl_nap_until(struct wl_engine *engine, uint64_t ns);

/* Put every thread on the CPUs the settings ask for. Also called when the writer has moved to another node. */
void wl_engine_place_threads(struct wl_engine *engine);

#endif
