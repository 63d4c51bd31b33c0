/* stuck_platform.h: the real platform, but the hundredth write() never comes back, as on a dead NFS server. */
#include "platform.h"

static inline ssize_t stuck_put(int fd, const void *bytes, size_t n)
{
	static int writes;
	while (++writes >= 100)
		pause();
	return wl_put(fd, bytes, n);
}
#define wl_put stuck_put
