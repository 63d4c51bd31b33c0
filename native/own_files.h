/* own_files.h: the writer's own table of open files.
 *
 * Threads that share one table pay for it in every write(): the file must be counted in and out and its position locked
 * (fs/file.c fdget_pos), which a process of one thread is spared. Measured, 220 B, p50: one thread 0.62 us, beside a sleeping
 * thread 0.68, with a table of its own 0.63. So the writer unshares it and fetches each segment from the common one by
 * pidfd_getfd (Linux 5.6), twice a minute by default. Where that cannot be, it shares. */
#ifndef WL_OWN_FILES_H
#define WL_OWN_FILES_H

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434 /* the same on every architecture, as the next two */
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* Called by the writer's thread. The process's pidfd, or -1: the table is shared. */
static inline int wl_files_separate(void)
{
	int process = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int tried = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, process, 0);
	if (tried >= 0)
		close(tried);
	if (tried < 0 || unshare(CLONE_FILES) < 0) {
		if (process >= 0)
			close(process);
		return -1;
	}
	/* copies of the others' files would keep pipes open that others wait to see closed; stderr stays, for sanitizers */
	if (process > 3)
		syscall(SYS_close_range, 3, process - 1, 0);
	syscall(SYS_close_range, process + 1, ~0u, 0);
	close(0);
	close(1);
	return process;
}

/* The file of the common table under a number of the writer's own; -1 with errno. */
static inline int wl_files_take(int process, int fd)
{
	return process < 0 ? fd : (int)syscall(SYS_pidfd_getfd, process, fd, 0);
}

/* Before the janitor gets the segment back, so that its close is the last and the truncation is not the writer's. */
static inline void wl_files_drop(int process, int fd)
{
	if (process >= 0 && fd >= 0)
		close(fd);
}

#endif
