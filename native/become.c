/* become.c: from root to the user the engine works for. */
#include "place.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CAP_PERFMON
#define CAP_PERFMON 38 /* Linux 5.8 */
#endif

static uint64_t bit(int capability)
{
	return 1ull << capability;
}

/* Keep of the kept only what is there to keep: in a container root may lack some. Nothing this process executes gets more. */
static int narrow_capabilities(uint64_t effective, uint64_t permitted)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		uint32_t had = data[i].permitted;
		data[i].permitted = had & (uint32_t)(permitted >> 32 * i);
		data[i].effective = had & (uint32_t)(effective >> 32 * i);
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return -errno;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int wl_only_look(void)
{
	const uint64_t looking = bit(CAP_SYS_PTRACE) | bit(CAP_DAC_READ_SEARCH);
	return narrow_capabilities(looking, looking);
}

int wl_become(uint32_t uid, uint32_t gid)
{
	struct passwd entry, *found = NULL;
	char text[4096];

	wl_dma_latency_open();
	getpwuid_r(uid, &entry, text, sizeof text, &found);
	if (prctl(PR_SET_KEEPCAPS, 1) < 0)
		return -errno;
	/* a user without a passwd entry has just the one group */
	if ((found ? initgroups(found->pw_name, gid) : setgroups(1, (const gid_t[]){gid})) < 0)
		return -errno;
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return -errno;
	/* SYS_RESOURCE stays out of the effective set: with it ext4 would hand this writer the blocks reserved for root and
	 * quota would not bind it (ext4_has_free_clusters, dquot's ignore_hardlimit), so it would not see what the user's programs see */
	const uint64_t effective = bit(CAP_SYS_NICE) | bit(CAP_IPC_LOCK) | bit(CAP_PERFMON);
	return narrow_capabilities(effective, effective | bit(CAP_SYS_RESOURCE));
}
