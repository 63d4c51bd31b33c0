#include "wlat.h"
#include <errno.h>
int wl_engine_run(int dir_fd, int in_fd, int out_fd) { return -ENOSYS; }
const char *wl_settings_refuse(const struct wl_settings *s) { return 0; }
int wl_become(uint32_t uid, uint32_t gid) { return -ENOSYS; }
int wl_bare_run(int dir_fd, const struct wl_settings *settings, uint64_t duration_ns, uint64_t *service_counts, uint64_t *wake_counts) { return -ENOSYS; }
