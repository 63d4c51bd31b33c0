/* histogram.h: size of the HDR layout, for the native core only (Python asks wl_bucket_count). */
#ifndef WL_HISTOGRAM_H
#define WL_HISTOGRAM_H

#include "wlat.h"

enum {
	WL_SUB_BITS = 11, /* 2048 sub-buckets: three significant digits */
	WL_HALF_BITS = WL_SUB_BITS - 1,
	WL_TOP_BITS = 42, /* 2^42 ns is 73 minutes, the first power of two above an hour */
	/* values below 2^11 one bucket each, then 1024 buckets per power of two */
	WL_BUCKETS = (1 << WL_SUB_BITS) + (WL_TOP_BITS - WL_SUB_BITS) * (1 << WL_HALF_BITS),
};

#endif
