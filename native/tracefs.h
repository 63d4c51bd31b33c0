/* tracefs.h: the kernel's list of tracepoints, mounted or not. */
#ifndef WL_TRACEFS_H
#define WL_TRACEFS_H

#include <stddef.h>

/* Descriptor of the root of a tracefs: the mounted one, else one of our own that is attached nowhere and gone when closed
 * (open_tree-style mounts, Linux 5.2; needs CAP_SYS_ADMIN). -errno. */
int wl_tracefs_open(void);

/* Up to size - 1 bytes of a file below it, NUL-terminated. Bytes read, or -errno. */
long wl_tracefs_read(int tracefs_fd, const char *path, char *ret_text, size_t size);

#endif
