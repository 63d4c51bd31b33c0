/* programs.c: BPF programs that others have attached to the kernel's functions and tracepoints. */
#include "wlat.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* bpf(2) and the layout of what it tells; the names are uapi/linux/bpf.h's, whose version at build time must not matter */
enum { PROG_GET_NEXT_ID = 11, PROG_GET_FD_BY_ID = 13, OBJ_GET_INFO_BY_FD = 15, LINK_GET_FD_BY_ID = 30, LINK_GET_NEXT_ID = 31 };
enum { PROG_KPROBE = 2, PROG_TRACEPOINT = 5, PROG_RAW_TRACEPOINT = 17, PROG_TRACING = 26, PROG_LSM = 29 };
enum { LINK_RAW_TRACEPOINT = 1, LINK_PERF_EVENT = 7 };
enum { PERF_KPROBE = 3, PERF_KRETPROBE = 4, PERF_TRACEPOINT = 5 };

struct program_info {
	uint32_t type, id;
	uint64_t tag;
	uint32_t jited, translated;
	uint64_t jited_at, translated_at, load_time;
	uint32_t uid, maps;
	uint64_t maps_at;
	char name[16];
};

struct link_info {
	uint32_t type, id, program, pad;
	union {
		struct {
			uint64_t name;
			uint32_t size;
		} raw_tracepoint; /* 5.8 */
		struct {
			uint32_t type, pad;
			uint64_t name;
			uint32_t size;
		} perf; /* 6.6 */
		char room[64];
	};
};

static long bpf(int command, void *attributes, size_t size)
{
	return syscall(SYS_bpf, command, attributes, size);
}

static int next(int command, uint32_t *id)
{
	struct {
		uint32_t start, next, flags;
	} ask = {*id, 0, 0};
	if (bpf(command, &ask, sizeof ask) < 0)
		return -errno;
	*id = ask.next;
	return 0;
}

/* Asks what id is; info is filled as far as this kernel goes. */
static int ask_info(int command, uint32_t id, void *info, uint32_t size)
{
	struct {
		uint32_t id, next, flags;
	} which = {id, 0, 0};
	int fd = (int)bpf(command, &which, sizeof which);
	if (fd < 0)
		return -errno;
	struct {
		uint32_t fd, size;
		uint64_t info;
	} ask = {(uint32_t)fd, size, (uint64_t)(uintptr_t)info};
	int error = bpf(OBJ_GET_INFO_BY_FD, &ask, sizeof ask) < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int is_tracing(uint32_t type)
{
	return type == PROG_KPROBE || type == PROG_TRACEPOINT || type == PROG_RAW_TRACEPOINT || type == PROG_TRACING || type == PROG_LSM;
}

static void find_target(uint32_t link, struct wl_program *programs, uint32_t n)
{
	char name[sizeof programs->target] = "";
	struct link_info info = {0};
	if (ask_info(LINK_GET_FD_BY_ID, link, &info, sizeof info) < 0)
		return;
	uint32_t program = info.program, type = info.type;
	uint32_t perf = type == LINK_PERF_EVENT ? info.perf.type : 0;
	int named = type == LINK_RAW_TRACEPOINT || perf == PERF_KPROBE || perf == PERF_KRETPROBE || perf == PERF_TRACEPOINT;
	memset(&info, 0, sizeof info);
	if (type == LINK_RAW_TRACEPOINT) {
		info.raw_tracepoint.name = (uint64_t)(uintptr_t)name;
		info.raw_tracepoint.size = sizeof name;
	} else {
		info.perf.name = (uint64_t)(uintptr_t)name;
		info.perf.size = sizeof name;
	}
	if (!named || ask_info(LINK_GET_FD_BY_ID, link, &info, sizeof info) < 0)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (programs[i].id == program)
			memcpy(programs[i].target, name, sizeof name - 1);
}

int wl_programs(struct wl_program *programs, uint32_t n)
{
	uint32_t id = 0, found = 0;
	int error;
	while (found < n && (error = next(PROG_GET_NEXT_ID, &id)) == 0) {
		struct program_info info = {0};
		if (ask_info(PROG_GET_FD_BY_ID, id, &info, sizeof info) < 0 || !is_tracing(info.type))
			continue; /* gone meanwhile, or about packets */
		struct wl_program *into = &programs[found++];
		memset(into, 0, sizeof *into);
		into->id = id;
		into->uid = info.uid;
		memcpy(into->name, info.name, sizeof into->name - 1);
	}
	if (found < n && error != -ENOENT)
		return error;
	for (id = 0; next(LINK_GET_NEXT_ID, &id) == 0;)
		find_target(id, programs, found);
	return (int)found;
}
