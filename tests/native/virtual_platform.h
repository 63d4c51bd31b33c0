/* virtual_platform.h: a made-up clock and file for writer.c, moved by the test. */
#include <errno.h>
#include <stdint.h>
#include <sys/types.h>

enum { WL_NS_PER_S = 1000000000 };

extern uint64_t virtual_now;
void virtual_sleep(uint64_t until);
ssize_t virtual_put(size_t n);

static inline uint64_t wl_now(void)
{
	return virtual_now;
}

static inline void wl_sleep_until(uint64_t ns)
{
	virtual_sleep(ns);
}

static inline void wl_relax(void)
{
	virtual_now += 10;
}

static inline int wl_files_take(int process, int fd)
{
	(void)process;
	return fd;
}

static inline void wl_files_drop(int process, int fd)
{
	(void)process;
	(void)fd;
}

static inline ssize_t wl_put(int fd, const void *bytes, size_t n)
{
	(void)fd;
	(void)bytes;
	return virtual_put(n);
}
