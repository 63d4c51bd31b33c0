/* tracefs.h: the kernel's list of tracepoints, mounted or not. */
#ifndef WL_TRACEFS_H
#define WL_TRACEFS_H

#include "wlat.h"

/* Up to size - 1 bytes of a file below it, NUL-terminated. Bytes read, or -errno. */
long wl_tracefs_read(int tracefs_fd, const char *path, char *ret_text, size_t size);

#endif
