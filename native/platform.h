/* platform.h: the only calls the writer's loop makes. A test compiles writer.c against a made-up clock and file instead
 * (WL_PLATFORM names another header), so that a day passes in seconds; nothing of that remains in the product. */
#ifndef WL_PLATFORM_H
#define WL_PLATFORM_H

#include "own_files.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WL_NS_PER_S = 1000000000 };

static inline uint64_t wl_clock_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * WL_NS_PER_S + (uint64_t)t.tv_nsec;
}

static inline uint64_t wl_now(void)
{
	return wl_clock_ns(CLOCK_MONOTONIC);
}

/* Until this moment or a signal. */
static inline void wl_sleep_until(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / WL_NS_PER_S), .tv_nsec = (long)(ns % WL_NS_PER_S)};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static inline void wl_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static inline ssize_t wl_put(int fd, const void *bytes, size_t n)
{
	/* not write(): in a process with threads glibc wraps that in two atomic exchanges, for cancellation */
	return syscall(SYS_write, fd, bytes, n);
}

#endif
