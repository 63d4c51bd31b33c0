/* Every setting has a range, and what is outside is refused by name. */
#include "check.h"
#include "wlat.h"

#include <string.h>

static struct wl_settings good(void)
{
	struct wl_settings s = {.magic = WL_SETTINGS_MAGIC, .bytes = sizeof s, .interval_ns = 200000, .threshold_ns = 1000000,
				.tick_ns = 200000000, .segment_bytes = 64 << 20, .disk_limit_bytes = 1 << 30, .prewarm_bytes = 16 << 20,
				.write_bytes = 220, .dma_latency_us = -1};
	return s;
}

#define REFUSED(field, value)                                          \
	do {                                                           \
		struct wl_settings s = good();                         \
		s.field = (value);                                     \
		const char *why = wl_settings_refuse(&s);              \
		CHECK(why && strstr(why, #field) == why);              \
	} while (0)
#define ACCEPTED(field, value)                                         \
	do {                                                           \
		struct wl_settings s = good();                         \
		s.field = (value);                                     \
		CHECK(wl_settings_refuse(&s) == NULL);                 \
	} while (0)

int main(void)
{
	struct wl_settings s = good();
	CHECK(wl_settings_refuse(&s) == NULL);
	s.magic++;
	CHECK(wl_settings_refuse(&s) != NULL);
	s = good();
	s.bytes--;
	CHECK(wl_settings_refuse(&s) != NULL);
	ACCEPTED(interval_ns, 10000);
	REFUSED(interval_ns, 9999);
	ACCEPTED(interval_ns, 1000000000);
	REFUSED(interval_ns, 1000000001);
	REFUSED(interval_ns, UINT64_MAX);
	REFUSED(threshold_ns, 0);
	REFUSED(tick_ns, 49999999);
	REFUSED(tick_ns, 10000000001);
	REFUSED(segment_bytes, (1 << 20) - 4096);
	REFUSED(segment_bytes, (1 << 20) + 1);
	REFUSED(segment_bytes, (1ull << 30) + 65536);
	REFUSED(prewarm_bytes, 0);
	REFUSED(disk_limit_bytes, 3 * (64ull << 20) - 1);
	ACCEPTED(disk_limit_bytes, 3 * (64ull << 20));
	REFUSED(write_bytes, 0);
	REFUSED(write_bytes, (1 << 20) + 1);
	REFUSED(mode, 2);
	REFUSED(prewarm, 4);
	REFUSED(policy, 5);
	s = good();
	s.policy = WL_POLICY_BIND;
	CHECK(strstr(wl_settings_refuse(&s), "policy_nodes"));
	s.policy_nodes[3] = 1;
	CHECK(wl_settings_refuse(&s) == NULL);
	REFUSED(fifo_priority, 51);
	REFUSED(dma_latency_us, -2);
	return 0;
}
