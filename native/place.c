/* place.c: affinity, memory policy, priority, idle states, locked memory. Raw system calls where libc or libnuma would be one more dependency. */
#include "place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ASIDE_SLICE_NS = 6000000 }; /* more than the usual 0.7 to 3 ms, so that these preempt; not more than needed: keys wait for it */

bool wl_place_has(const struct wl_cpus *cpus, unsigned cpu)
{
	return cpu < WL_MAX_CPUS && cpus->words[cpu / 64] >> (cpu % 64) & 1;
}

static bool is_empty(const struct wl_cpus *cpus)
{
	for (int i = 0; i < WL_CPU_WORDS; i++)
		if (cpus->words[i])
			return false;
	return true;
}

int wl_place_thread(pid_t tid, const struct wl_cpus *cpus)
{
	return syscall(SYS_sched_setaffinity, tid, sizeof *cpus, cpus) < 0 ? errno : 0;
}

int wl_place_started_with(struct wl_cpus *ret)
{
	memset(ret, 0, sizeof *ret);
	return syscall(SYS_sched_getaffinity, 0, sizeof *ret, ret) < 0 ? errno : 0;
}

struct wl_cpus wl_place_others(const struct wl_cpus *allowed, const struct wl_cpus *writer)
{
	struct wl_cpus others;
	for (int i = 0; i < WL_CPU_WORDS; i++)
		others.words[i] = allowed->words[i] & ~writer->words[i];
	return is_empty(&others) ? *allowed : others;
}

/* /sys/devices/system/cpu/cpuN holds a link nodeM (kernels with CONFIG_NUMA). */
static bool is_on_node(unsigned cpu, int node)
{
	char path[80];
	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/node%d", cpu, node);
	return access(path, F_OK) == 0;
}

struct wl_cpus wl_place_on_node(const struct wl_cpus *cpus, int node)
{
	struct wl_cpus near = {{0}};
	for (unsigned cpu = 0; cpu < WL_MAX_CPUS; cpu++)
		if (wl_place_has(cpus, cpu) && is_on_node(cpu, node))
			near.words[cpu / 64] |= 1ull << (cpu % 64);
	return is_empty(&near) ? *cpus : near;
}

int wl_place_memory(uint32_t policy, const uint64_t *nodes)
{
	/* uapi/linux/mempolicy.h: MPOL_DEFAULT 0, PREFERRED 1, BIND 2, INTERLEAVE 3, LOCAL 4 (since 3.8) */
	static const int modes[] = {[WL_POLICY_DEFAULT] = 0, [WL_POLICY_LOCAL] = 4, [WL_POLICY_BIND] = 2, [WL_POLICY_PREFER] = 1,
				    [WL_POLICY_INTERLEAVE] = 3};
	bool named = policy == WL_POLICY_BIND || policy == WL_POLICY_PREFER || policy == WL_POLICY_INTERLEAVE;
	/* the kernel reads maxnode - 1 bits (get_nodes in mm/mempolicy.c) */
	unsigned long bits = named ? WL_NODE_WORDS * 64 + 1 : 0;
#ifdef SYS_set_mempolicy
	return syscall(SYS_set_mempolicy, modes[policy], named ? nodes : NULL, bits) < 0 ? errno : 0;
#else
	return policy == WL_POLICY_DEFAULT ? 0 : ENOSYS;
#endif
}

void wl_place_where(uint32_t *ret_cpu, uint32_t *ret_node)
{
	/* the vDSO answers; no system call where there is one */
	getcpu(ret_cpu, ret_node);
}

int wl_place_priority(pid_t tid, uint32_t fifo_priority)
{
	struct sched_param param = {.sched_priority = (int)fifo_priority};
	/* RESET_ON_FORK: whatever this process may start later does not run at real-time priority */
	int policy = fifo_priority ? SCHED_FIFO | SCHED_RESET_ON_FORK : SCHED_OTHER;
	return sched_setscheduler(tid, policy, &param) < 0 ? errno : 0;
}

int wl_step_aside(void)
{
	/* struct sched_attr of include/uapi/linux/sched/types.h, which libc's own headers contradict in places */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attr;
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) < 0)
		return -errno;
	if (attr.policy != SCHED_OTHER)
		return 0; /* somebody has decided otherwise */
	attr.size = sizeof attr;
	attr.flags |= 1; /* SCHED_FLAG_RESET_ON_FORK: the engine and whatever else is started have the usual slice */
	attr.runtime_ns = ASIDE_SLICE_NS;
	return syscall(SYS_sched_setattr, 0, &attr, 0) < 0 ? -errno : 0;
}

/* kernel/power/qos.c: opening adds a request of PM_QOS_DEFAULT_VALUE, which constrains nothing; writing this does the same. */
static const int32_t no_constraint_us = 2000 * 1000000;
static int dma_fd = -1, dma_refusal;

void wl_dma_latency_open(void)
{
	if (dma_fd >= 0)
		return;
	dma_fd = open("/dev/cpu_dma_latency", O_RDWR | O_CLOEXEC);
	dma_refusal = dma_fd < 0 ? errno : 0;
}

int wl_dma_latency_hold(int32_t us)
{
	int32_t value = us < 0 ? no_constraint_us : us;
	if (dma_fd < 0)
		return us < 0 ? 0 : dma_refusal;
	return write(dma_fd, &value, sizeof value) < 0 ? errno : 0;
}

void wl_dma_latency_close(void)
{
	if (dma_fd >= 0)
		close(dma_fd);
	dma_fd = -1;
}

static int lock_page_of(uintptr_t address)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	return mlock((void *)(address & ~(page - 1)), page) < 0 ? errno : 0;
}

/* Lock the object that holds this very function. */
static int lock_if_ours(struct dl_phdr_info *info, size_t size, void *ret_error)
{
	(void)size;
	uintptr_t self = (uintptr_t)wl_lock_code, page = (uintptr_t)sysconf(_SC_PAGESIZE);
	bool ours = false;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		ours |= info->dlpi_phdr[i].p_type == PT_LOAD && self >= begin && self < begin + info->dlpi_phdr[i].p_memsz;
	}
	for (int i = 0; ours && i < info->dlpi_phnum; i++) {
		uintptr_t begin = (info->dlpi_addr + info->dlpi_phdr[i].p_vaddr) & ~(page - 1);
		uintptr_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
		if (info->dlpi_phdr[i].p_type == PT_LOAD && mlock((void *)begin, end - begin) < 0)
			*(int *)ret_error = errno;
	}
	return ours;
}

int wl_lock_code(void)
{
	int error = 0, one;
	dl_iterate_phdr(lock_if_ours, &error);
	if ((one = lock_page_of((uintptr_t)syscall)) != 0)
		error = one;
	if ((one = lock_page_of((uintptr_t)clock_nanosleep)) != 0)
		error = one;
	return error;
}
