/* place.h: where threads and their memory are put. */
#ifndef WL_PLACE_H
#define WL_PLACE_H

#include "wlat.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

enum { WL_MAX_CPUS = WL_CPU_WORDS * 64 };

/* A CPU set of up to 4096 CPUs, in the layout of both wl_settings and sched_setaffinity(2). */
struct wl_cpus {
	uint64_t words[WL_CPU_WORDS];
};

int wl_place_thread(pid_t tid, const struct wl_cpus *cpus); /* 0 or errno */
int wl_place_started_with(struct wl_cpus *ret);             /* what this process may use; 0 or errno */
bool wl_place_has(const struct wl_cpus *cpus, unsigned cpu);

/* CPUs for everyone but the writer: those it may not use, or all when there are none. */
struct wl_cpus wl_place_others(const struct wl_cpus *allowed, const struct wl_cpus *writer);

/* Of cpus, those of this node; all of them when the node has none there. */
struct wl_cpus wl_place_on_node(const struct wl_cpus *cpus, int node);

/* set_mempolicy(2) for the calling thread (it has no form for another one). 0 or errno. */
int wl_place_memory(uint32_t policy, const uint64_t *nodes);

void wl_place_where(uint32_t *ret_cpu, uint32_t *ret_node);

/* SCHED_FIFO at this priority, or SCHED_OTHER for 0. 0 or errno. */
int wl_place_priority(pid_t tid, uint32_t fifo_priority);

/* Opens /dev/cpu_dma_latency while there are rights to; imposes nothing yet. */
void wl_dma_latency_open(void);
int wl_dma_latency_hold(int32_t us); /* -1: not at all. 0 or errno */
void wl_dma_latency_close(void);

/* Locks the pages of this code and of the two libc calls in the writer's loop. 0 or errno. */
int wl_lock_code(void);

#endif
