/* touch.c: who opens, reads and writes marked files, by fanotify. */
#include "wlat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

/* glibc may be older than the kernel */
#ifndef FAN_REPORT_FID
#define FAN_REPORT_FID 0x200
#endif
#ifndef FAN_REPORT_DFID_NAME
#define FAN_REPORT_DFID_NAME 0xc00
#endif
enum { INFO_TYPE_DFID_NAME = 2 };

/* struct fanotify_event_info_fid and file_handle with their lengths, as the ABI has them: older headers lack the first. */
struct named {
	uint8_t info_type, pad;
	uint16_t len;
	int32_t fsid[2];
	uint32_t handle_bytes;
	int32_t handle_type;
	char handle[];
};

int wl_touch_open(enum wl_touch_naming naming)
{
	unsigned base = FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK;
	unsigned how = naming == WL_BY_CHILD ? FAN_REPORT_DFID_NAME : naming == WL_BY_HANDLE ? FAN_REPORT_FID : 0;
	int fd = fanotify_init(base | how, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int wl_touch_mark(int fd, const char *path, uint32_t mask, int children)
{
	unsigned flags = FAN_MARK_ADD | (children ? FAN_MARK_ONLYDIR : 0);
	return fanotify_mark(fd, flags, mask | (children ? FAN_EVENT_ON_CHILD : 0), AT_FDCWD, path) < 0 ? -errno : 0;
}

static void take_name(const struct fanotify_event_metadata *event, char *name, size_t room)
{
	const char *at = (const char *)event + event->metadata_len, *end = (const char *)event + event->event_len;
	while (end - at > (ptrdiff_t)sizeof(struct named)) {
		const struct named *info = (const void *)at;
		if (info->len < sizeof *info || info->len > end - at)
			return;
		if (info->info_type == INFO_TYPE_DFID_NAME && info->handle_bytes < info->len - sizeof *info) {
			size_t n = strnlen(info->handle + info->handle_bytes, info->len - sizeof *info - info->handle_bytes);
			if (n >= room)
				n = room - 1;
			memcpy(name, info->handle + info->handle_bytes, n);
			return;
		}
		at += info->len;
	}
}

int wl_touch_read(int fd, struct wl_touched *touched, uint32_t n)
{
	char buffer[4096] __attribute__((aligned(8)));
	uint32_t taken = 0;
	/* an event with a name of 255 bytes takes about 320; stop while a whole buffer of the smallest ones still fits */
	while (n - taken >= sizeof buffer / sizeof(struct fanotify_event_metadata)) {
		ssize_t size = read(fd, buffer, sizeof buffer);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno != EAGAIN)
			return -errno;
		if (size <= 0)
			break;
		const struct fanotify_event_metadata *event = (const void *)buffer;
		for (; FAN_EVENT_OK(event, size); event = FAN_EVENT_NEXT(event, size)) {
			struct wl_touched *into = &touched[taken++];
			memset(into, 0, sizeof *into);
			into->mask = (uint32_t)event->mask;
			into->pid = event->pid;
			take_name(event, into->name, sizeof into->name);
			if (event->fd >= 0)
				close(event->fd);
		}
	}
	return (int)taken;
}
