/* The reading of an overwriting ring, on a made-up mapping that is filled as the kernel does it: backwards, newest at the head. */
#include "check.h"
#include "perf_ring.h"

#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BYTES = 1 << 16, RECORD = 64 };

static unsigned char *mapping, copied[BYTES];
static struct wl_perf_ring ring;
static uint64_t head; /* as the kernel counts: down from 0 */

static unsigned char record[256];

static void put(uint32_t type, uint16_t size, uint64_t ns)
{
	unsigned char *data = mapping + sysconf(_SC_PAGESIZE);
	struct perf_event_header header = {.type = type, .size = size};
	memcpy(record, &header, sizeof header);
	memcpy(record + (type == PERF_RECORD_SAMPLE ? WL_SAMPLE_TIME_AT : size - WL_SAMPLE_ID_BYTES + 8), &ns, sizeof ns);
	if (type == PERF_RECORD_LOST)
		memcpy(record + 16, &(uint64_t){7}, sizeof(uint64_t));
	head -= size;
	for (int i = 0; i < size; i++)
		data[(head + (uint64_t)i) % BYTES] = record[i];
	((struct perf_event_mmap_page *)(void *)mapping)->data_head = head;
	memset(record, 0, sizeof record);
}

enum { SWITCHES = 5, OURS = 7777, NEXT_AT = 4, SWITCH = 56 };
static const struct wl_perf_sparing sparing = {.id = SWITCHES, .tid = OURS, .next_tid_at = NEXT_AT};

static void put_switch(uint32_t going, uint32_t coming, uint64_t ns)
{
	memcpy(record + 8, &(uint64_t){SWITCHES}, sizeof(uint64_t));
	memcpy(record + 20, &going, sizeof going);
	memcpy(record + 44 + NEXT_AT, &coming, sizeof coming);
	put(PERF_RECORD_SAMPLE, SWITCH, ns);
}

static void start_again(void)
{
	head = 0;
	((struct perf_event_mmap_page *)(void *)mapping)->data_head = 0;
}

static struct wl_perf_span copy(uint64_t from_ns, uint64_t to_ns, size_t room)
{
	struct wl_perf_span span = {.from_ns = from_ns, .to_ns = to_ns};
	wl_perf_ring_copy(&ring, &sparing, &span, copied, room);
	return span;
}

static uint64_t time_of(size_t at)
{
	uint64_t ns;
	memcpy(&ns, copied + at + WL_SAMPLE_TIME_AT, sizeof ns);
	return ns;
}

static void test_a_ring_that_has_not_come_round_is_complete(void)
{
	struct wl_perf_span span = copy(0, 100, sizeof copied);
	CHECK_EQUAL(span.bytes, 0);
	CHECK_EQUAL(span.oldest_ns, 0);
	for (uint64_t ns = 1; ns <= 20; ns++)
		put(PERF_RECORD_SAMPLE, RECORD, 100 * ns);
	span = copy(0, 5000, sizeof copied);
	CHECK_EQUAL(span.bytes, 20 * RECORD);
	CHECK_EQUAL(span.oldest_ns, 0); /* everything since the beginning is there */
	span = copy(500, 1000, sizeof copied);
	CHECK_EQUAL(span.bytes, 6 * RECORD);
	CHECK_EQUAL(time_of(0), 1000); /* newest first */
	CHECK_EQUAL(time_of(5 * RECORD), 500);
	CHECK_EQUAL(span.oldest_ns, 500);
}

static void test_too_little_room_shows_in_the_oldest(void)
{
	struct wl_perf_span span = copy(0, 2000, 5 * RECORD + 10);
	CHECK_EQUAL(span.bytes, 5 * RECORD);
	CHECK_EQUAL(span.oldest_ns, 1600);
	span = copy(0, 2000, 10);
	CHECK_EQUAL(span.bytes, 0);
	CHECK_EQUAL(span.oldest_ns, 2000); /* nothing is known about the span */
}

static void test_lost_records_are_counted(void)
{
	put(PERF_RECORD_LOST, 56, 2100);
	struct wl_perf_span span = copy(2000, 3000, sizeof copied);
	CHECK_EQUAL(span.lost, 7);
	CHECK_EQUAL(span.bytes, RECORD + 56);
}

static void test_what_was_overwritten_is_left_out(void)
{
	for (uint64_t ns = 1; ns <= 5000; ns++)
		put(PERF_RECORD_SAMPLE, (uint16_t)(ns % 3 ? RECORD : RECORD + 24), 10000 + ns); /* across the end of the mapping too */
	struct wl_perf_span span = copy(0, 20000, sizeof copied);
	CHECK(span.bytes > BYTES / 2 && span.bytes < BYTES);
	CHECK(span.oldest_ns > 13000 && span.oldest_ns < 15000);
	uint64_t expected = 15000;
	for (size_t at = 0; at < span.bytes; expected--) {
		struct perf_event_header header;
		memcpy(&header, copied + at, sizeof header);
		CHECK_EQUAL(time_of(at), expected);
		at += header.size;
	}
	CHECK_EQUAL(span.oldest_ns, expected + 1);
	span = copy(14900, 20000, sizeof copied);
	CHECK_EQUAL(span.oldest_ns, 14900);
}

static void test_switches_of_others_give_way_where_not_all_fits(void)
{
	enum { OTHERS = 200, STEP = 10, LONG_AT = 100, LONG = 1000 };
	uint64_t ns = 100;
	start_again();
	put_switch(OURS, 1, ns);
	for (uint32_t i = 1; i <= OTHERS; i++)
		put_switch(i, i + 1, ns += i == LONG_AT ? LONG : STEP);
	put(PERF_RECORD_SAMPLE, RECORD, ns += STEP); /* something about ours: who had the CPU then is kept too */
	put_switch(OTHERS + 1, OURS, ns += STEP);
	struct wl_perf_span span = copy(50, ns + 1, sizeof copied);
	CHECK_EQUAL(span.omitted, 0);
	CHECK_EQUAL(span.bytes, (OTHERS + 2) * SWITCH + RECORD);
	span = copy(50, ns + 1, 10 * SWITCH);
	CHECK_EQUAL(span.oldest_ns, 50);
	CHECK_EQUAL(span.omitted, OTHERS - 3);
	CHECK_EQUAL(span.bytes, 5 * SWITCH + RECORD);
	const uint64_t kept[] = {ns, ns - STEP, ns - 2 * STEP, 100 + (LONG_AT - 1) * STEP + LONG, 100 + (LONG_AT - 1) * STEP, 100};
	size_t at = 0;
	for (int i = 0; i < 6; at += i == 1 ? RECORD : SWITCH, i++)
		CHECK_EQUAL(time_of(at), kept[i]);
	span = copy(50, ns + 1, 3 * SWITCH); /* not even what matters fits */
	CHECK_EQUAL(span.bytes, SWITCH + RECORD);
	CHECK_EQUAL(span.oldest_ns, ns - STEP);
	for (uint32_t i = 0; i < 200; i++)
		put_switch(i, i + 1, ns + 10 + i);
	CHECK(copy(50, ns + 300, sizeof copied).omitted > OTHERS); /* there is room, but so many are not worth it */
}

static void test_whatever_the_room_nothing_of_ours_is_missing_since_the_oldest(void)
{
	for (unsigned round = 0; round < 300; round++) {
		uint64_t ours[1000], ns = 1000;
		size_t n = 0, room = (size_t)(rand() % 30000), found = 0;
		start_again();
		for (int i = 0; i < 1000; i++) {
			ns += (uint64_t)(rand() % 8 ? rand() % 20 : rand() % 2000);
			bool mine = rand() % 20 == 0;
			if (mine)
				ours[n++] = ns;
			put_switch(mine ? OURS : 1, 2, ns);
		}
		struct wl_perf_span span = copy(1000, ns, room);
		CHECK(span.bytes <= room && span.bytes / SWITCH + span.omitted <= 1000);
		for (size_t at = 0; at < span.bytes; at += SWITCH) {
			uint32_t going;
			memcpy(&going, copied + at + 20, sizeof going);
			found += going == OURS && time_of(at) >= span.oldest_ns;
		}
		for (size_t i = 0; i < n; i++)
			found -= ours[i] >= span.oldest_ns;
		CHECK(found == 0 || span.bytes == 0);
	}
}

static void test_garbage_ends_the_reading(void)
{
	unsigned char *data = mapping + sysconf(_SC_PAGESIZE);
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < BYTES; i++)
			data[i] = (unsigned char)(round < 100 ? rand() : rand() % 64 ? 0 : rand());
		struct wl_perf_span span = copy((uint64_t)rand(), UINT64_MAX, sizeof copied);
		CHECK(span.bytes <= sizeof copied);
	}
}

int main(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	CHECK((mapping = calloc(1, page + BYTES)) != NULL);
	ring = (struct wl_perf_ring){mapping, BYTES};
	test_a_ring_that_has_not_come_round_is_complete();
	test_too_little_room_shows_in_the_oldest();
	test_lost_records_are_counted();
	test_what_was_overwritten_is_left_out();
	test_switches_of_others_give_way_where_not_all_fits();
	test_whatever_the_room_nothing_of_ours_is_missing_since_the_oldest();
	test_garbage_ends_the_reading();
	free(mapping);
	return 0;
}
