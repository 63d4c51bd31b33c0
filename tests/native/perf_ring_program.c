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

static void put(uint32_t type, uint16_t size, uint64_t ns)
{
	unsigned char record[256] = {0}, *data = mapping + sysconf(_SC_PAGESIZE);
	struct perf_event_header header = {.type = type, .size = size};
	memcpy(record, &header, sizeof header);
	memcpy(record + (type == PERF_RECORD_SAMPLE ? WL_SAMPLE_TIME_AT : size - WL_SAMPLE_ID_BYTES + 8), &ns, sizeof ns);
	if (type == PERF_RECORD_LOST)
		memcpy(record + 16, &(uint64_t){7}, sizeof(uint64_t));
	head -= size;
	for (int i = 0; i < size; i++)
		data[(head + (uint64_t)i) % BYTES] = record[i];
	((struct perf_event_mmap_page *)(void *)mapping)->data_head = head;
}

static struct wl_perf_span copy(uint64_t from_ns, uint64_t to_ns, size_t room)
{
	struct wl_perf_span span = {.from_ns = from_ns, .to_ns = to_ns};
	wl_perf_ring_copy(&ring, &span, copied, room);
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
	test_garbage_ends_the_reading();
	free(mapping);
	return 0;
}
