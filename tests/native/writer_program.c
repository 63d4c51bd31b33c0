/* The writer's arithmetic, one scene at a time, on a virtual clock. */
#include "virtual.h"

enum { US = 1000, MS = 1000000, S = 1000000000 };

static ssize_t quick(size_t n)
{
	virtual_now += 2 * US;
	return (ssize_t)n;
}

static ssize_t slow_at_100(size_t n)
{
	virtual_now += written == 100 ? 10 * MS : 2 * US;
	return (ssize_t)n;
}

static void a_stall_is_counted_once_and_felt_by_every_write_that_was_due_meanwhile(void)
{
	new_writer();
	struct wl_interval *set = play(200 * US, 220, 1000, slow_at_100);
	CHECK_EQUAL(set->writes[0] + set->writes[1], 1000);
	CHECK_EQUAL(set->worst_ns[WL_SERVICE], 10 * MS);
	CHECK_EQUAL(set->worst[WL_SERVICE].backlog, 0);
	CHECK_EQUAL(set->worst_ns[WL_RESPONSE], 10 * MS);
	CHECK_EQUAL(set->stalls, 1);
	/* the k-th after it responds in 10 ms - k * (200 - 2) us */
	uint64_t slow = 0;
	for (int class = 0; class < WL_CLASSES; class++)
		for (uint32_t i = 0; i < wl_bucket_count(); i++)
			if (wl_bucket_low_ns(i) > MS)
				slow += set->histograms[WL_RESPONSE][class].counts[i];
	CHECK_EQUAL(slow, 1 + 9 * MS / (198 * US));
	CHECK_EQUAL(set->stalls_lost, 0);
	CHECK_EQUAL(set->skipped_slots, 0);
	/* p_i = p_0 + i * interval: the raster has not moved */
	CHECK_EQUAL(w->planned - set->worst[WL_SERVICE].planned_ns, 901 * 200 * US);
	struct wl_write stalls[WL_STALL_RING];
	CHECK_EQUAL(wl_ring_take(&w->ring, stalls, WL_STALL_RING), set->stalls);
	CHECK_EQUAL(stalls[0].backlog, 0);
}

static ssize_t slow_at_100_and_101(size_t n)
{
	virtual_now += written == 100 || written == 101 ? 10 * MS : 2 * US;
	return (ssize_t)n;
}

static void oversleeps_once(uint64_t until)
{
	virtual_now = until + (sleeps == 50 ? 5 * MS : 0);
}

static void stalls_are_heads_of_queues_and_slow_writes_inside_them(void)
{
	struct wl_write stalls[WL_STALL_RING];
	new_writer();
	struct wl_interval *set = play(200 * US, 220, 1000, slow_at_100_and_101);
	CHECK_EQUAL(set->stalls, 2); /* the second had queued behind the first, but was slow itself */
	CHECK_EQUAL(wl_ring_take(&w->ring, stalls, WL_STALL_RING), 2);
	CHECK_EQUAL(stalls[1].backlog, 50);
	new_writer();
	on_sleep = oversleeps_once;
	set = play(200 * US, 220, 1000, quick);
	CHECK_EQUAL(set->stalls, 1); /* a late wake, with 25 writes behind it */
	CHECK_EQUAL(wl_ring_take(&w->ring, stalls, WL_STALL_RING), 1);
	CHECK_EQUAL(stalls[0].backlog, 0);
	CHECK_EQUAL(stalls[0].begin_ns - stalls[0].planned_ns, 5 * MS);
}

static ssize_t three_seconds_at_100(size_t n)
{
	virtual_now += written == 100 ? 3ull * S : 2 * US;
	return (ssize_t)n;
}

static void backlog_beyond_a_second_is_skipped_and_counted(void)
{
	new_writer();
	struct wl_interval *set = play(200 * US, 220, 20000, three_seconds_at_100);
	/* first what the stall itself left behind, then the 2 ms in which the writer asked whether it had been a stop */
	CHECK_EQUAL(set->skipped_slots, (3ull * S - 200 * US - S) / (200 * US) + (2 * MS + 2 * US - 200 * US) / (200 * US));
	CHECK_EQUAL(set->writes[0] + set->writes[1], 20000);
	CHECK_EQUAL(set->worst_ns[WL_RESPONSE], 3ull * S);
	CHECK_EQUAL(set->stalls, 1);
	CHECK_EQUAL(set->stalls_lost, 0);
}

static ssize_t stopped_at_100(size_t n)
{
	virtual_now += 2 * US;
	if (written == 100) {
		virtual_now += 2ull * S;
		wl_writer_continued(SIGCONT);
		atomic_store(&w->resumed_ns, virtual_now);
	}
	return (ssize_t)n;
}

static void a_stop_of_the_process_is_a_gap_and_not_a_stall(void)
{
	new_writer();
	struct wl_interval *set = play(200 * US, 220, 1000, stopped_at_100);
	CHECK_EQUAL(set->stalls, 0);
	CHECK_EQUAL(set->gap_ns, 2ull * S + 2 * US);
	CHECK_EQUAL(set->gap_slots, 2ull * S / (200 * US) + 1);
	CHECK_EQUAL(set->writes[0] + set->writes[1], 999);
	CHECK_EQUAL(set->written_bytes, 1000 * 220);
	CHECK(set->worst_ns[WL_RESPONSE] < MS);
}

static ssize_t slow_and_continued_at_100(size_t n)
{
	virtual_now += 2 * US;
	if (written == 100) {
		virtual_now += 36 * MS;
		wl_writer_continued(SIGCONT);
	}
	return (ssize_t)n;
}

static void stopped_while_it_asks(uint64_t until)
{
	if (until > virtual_now)
		virtual_now = until;
	if (written == 100 && atomic_load(&w->resumed_ns) == 0) {
		virtual_now += 5ull * S;
		atomic_store(&w->resumed_ns, virtual_now);
	}
}

static void a_stop_after_the_last_look_at_the_clock_is_a_gap_too(void)
{
	new_writer();
	on_sleep = stopped_while_it_asks;
	struct wl_interval *set = play(200 * US, 220, 1000, slow_and_continued_at_100);
	CHECK(set->gap_ns >= 5ull * S + 36 * MS);
	CHECK(set->gap_slots >= (5ull * S + 36 * MS) / (200 * US));
	CHECK_EQUAL(set->stalls, 0);
	CHECK_EQUAL(set->writes[0] + set->writes[1], 999);
}

static ssize_t continued_in_a_stall(size_t n)
{
	virtual_now += written == 100 ? 50 * MS : 2 * US;
	if (written == 100)
		wl_writer_continued(SIGCONT);
	return (ssize_t)n;
}

static void a_bare_sigcont_hides_no_stall(void)
{
	new_writer();
	struct wl_interval *set = play(200 * US, 220, 1000, continued_in_a_stall);
	CHECK_EQUAL(set->gap_slots, 0);
	CHECK_EQUAL(set->worst_ns[WL_SERVICE], 50 * MS);
	CHECK_EQUAL(set->writes[0] + set->writes[1], 1000);
}

static void woken_early_by_a_signal(uint64_t until)
{
	virtual_now += (until - virtual_now + 1) / 2;
}

static void a_sleep_cut_short_does_not_start_a_write_early(void)
{
	new_writer();
	on_sleep = woken_early_by_a_signal;
	struct wl_interval *set = play(200 * US, 220, 500, quick);
	CHECK(sleeps > 500);
	CHECK_EQUAL(set->worst_ns[WL_WAKE], 0);
	CHECK_EQUAL(count_of(&set->histograms[WL_WAKE][WL_IN_PAGE]) + count_of(&set->histograms[WL_WAKE][WL_NEW_PAGE]), 500);
}

static ssize_t no_space_from_100_to_103(size_t n)
{
	virtual_now += 2 * US;
	if (written < 100 || written > 103)
		return (ssize_t)n;
	errno = ENOSPC;
	return written == 100 ? (ssize_t)n / 2 : -1;
}

static void trouble_is_counted_in_slots_and_ends_by_itself(void)
{
	new_writer();
	struct wl_interval *set = play(200 * US, 220, 1000, no_space_from_100_to_103);
	CHECK_EQUAL(set->writes[0] + set->writes[1], 996);
	CHECK_EQUAL(set->error_slots, 4 * (100 * MS / (200 * US) + 1)); /* tried again every 100 ms */
	CHECK_EQUAL(set->written_bytes, 996 * 220 + 110);
	CHECK_EQUAL(atomic_load(&w->trouble), WL_FINE);
	CHECK_EQUAL(atomic_load(&w->error), 0);
	CHECK_EQUAL(set->skipped_slots, 0);
	CHECK_EQUAL(set->stalls, 0);
}

static void the_class_is_that_of_the_page_touched_first(void)
{
	new_writer();
	w->shelf.next = segment(0, 10 * 4096, 5); /* the first five of ten pages are prepared */
	struct wl_interval *set = play(200 * US, 1024, 40, quick);
	CHECK_EQUAL(set->writes[WL_IN_PAGE], 30);
	CHECK_EQUAL(set->writes[WL_PREPARED], 5);
	CHECK_EQUAL(set->writes[WL_NEW_PAGE], 5);
	new_writer();
	w->shelf.next = segment(0, 10 * 4096, 0);
	set = play(200 * US, 10000, 4, quick); /* every write touches new pages */
	CHECK_EQUAL(set->writes[WL_NEW_PAGE], 4);
}

static ssize_t hands_out_a_segment_at_100(size_t n)
{
	virtual_now += 2 * US;
	if (written == 100)
		w->shelf.next = segment(1, 100 * 220 + 5, 0);
	return (ssize_t)n;
}

static void late_segments(uint64_t until)
{
	virtual_now = until;
	if (written == 200 && w->sets[0].error_slots == 49) /* during the fiftieth wait */
		w->shelf.next = segment(2, 1 << 20, 0);
}

static void a_missing_segment_is_trouble_until_one_comes(void)
{
	new_writer();
	w->shelf.next = segment(0, 100 * 220 + 5, 0);
	on_sleep = late_segments;
	struct wl_interval *set = play(200 * US, 220, 300, hands_out_a_segment_at_100);
	CHECK_EQUAL(set->error_slots, 50);
	CHECK_EQUAL(atomic_load(&w->late), 1);
	CHECK_EQUAL(atomic_load(&w->number), 2);
	CHECK_EQUAL(atomic_load(&w->trouble), WL_FINE);
	CHECK(atomic_load(&w->shelf.old[0]) == &segments[0]);
	CHECK(atomic_load(&w->shelf.old[1]) == &segments[1]);
	CHECK_EQUAL(segments[0].used_bytes, 100 * 220);
}

static ssize_t asks_for_a_swap(size_t n)
{
	virtual_now += 2 * US;
	if (written == 100)
		atomic_store(&w->swap_at_ns, virtual_now);
	return (ssize_t)n;
}

static void an_interval_ends_where_it_was_asked_to(void)
{
	new_writer();
	struct wl_interval *second = play(200 * US, 220, 300, asks_for_a_swap);
	struct wl_interval *first = &w->sets[0];
	CHECK_EQUAL(atomic_load(&w->swaps), 1);
	CHECK(second == &w->sets[1]);
	CHECK_EQUAL(first->end_ns, second->begin_ns);
	CHECK_EQUAL(first->writes[0] + first->writes[1], 100);
	CHECK_EQUAL(second->writes[0] + second->writes[1], 200);
	CHECK_EQUAL(atomic_load(&w->swap_at_ns), UINT64_MAX);
}

static ssize_t asks_ahead_at_5(size_t n)
{
	virtual_now += 2 * US;
	if (written == 5)
		atomic_store(&w->swap_at_ns, virtual_now + 30 * MS);
	return (ssize_t)n;
}

static void a_slow_writer_hands_over_before_it_sleeps_past_the_wish(void)
{
	static const uint64_t intervals[] = {25 * MS, 31 * MS, 100 * MS, S};
	for (int i = 0; i < 4; i++) {
		new_writer();
		struct wl_interval *second = play(intervals[i], 220, 10, asks_ahead_at_5), *first = &w->sets[0];
		uint64_t before = intervals[i] > 30 * MS ? 5 : 6;
		CHECK_EQUAL(atomic_load(&w->swaps), 1);
		CHECK_EQUAL(first->writes[0] + first->writes[1], before);
		CHECK_EQUAL(second->writes[0] + second->writes[1], 10 - before);
		CHECK_EQUAL(first->end_ns, second->begin_ns);
		CHECK_EQUAL(first->end_ns, first->worst[WL_WAKE].planned_ns + 4 * intervals[i] + 2 * US + 30 * MS); /* the wish */
		CHECK(first->next_planned_ns >= first->end_ns);
		CHECK_EQUAL(second->worst_ns[WL_WAKE], 0);
	}
}

static uint64_t asked_after; /* of a sleep's beginning */

static void asked_while_asleep(uint64_t until)
{
	if (sleeps == 6) { /* asked, and woken 10 us later */
		atomic_store(&w->swap_at_ns, virtual_now + asked_after);
		virtual_now += asked_after + 10 * US;
		atomic_fetch_or(&w->attention, WL_ATTEND_HAND_OVER);
		wl_writer_continued(SIGCONT);
		return;
	}
	virtual_now = until;
}

static void a_sleeping_writer_hands_over_when_nudged_and_keeps_its_plan(void)
{
	static const uint64_t intervals[] = {25 * MS, 100 * MS, S};
	for (int i = 0; i < 3; i++) {
		for (uint64_t phase = 1; phase < 10; phase++) {
			new_writer();
			on_sleep = asked_while_asleep;
			asked_after = intervals[i] / 10 * phase;
			struct wl_interval *second = play(intervals[i], 220, 10, quick), *first = &w->sets[0];
			CHECK_EQUAL(atomic_load(&w->swaps), 1);
			CHECK_EQUAL(first->writes[0] + first->writes[1], 5);
			CHECK_EQUAL(second->writes[0] + second->writes[1], 5);
			CHECK_EQUAL(first->end_ns, first->worst[WL_WAKE].planned_ns + 4 * intervals[i] + 2 * US + asked_after);
			CHECK_EQUAL(first->next_planned_ns, second->worst[WL_WAKE].planned_ns);
			CHECK_EQUAL(second->worst_ns[WL_WAKE], 0);
			CHECK_EQUAL(second->gap_slots, 0);
		}
	}
}

int main(void)
{
	a_stall_is_counted_once_and_felt_by_every_write_that_was_due_meanwhile();
	stalls_are_heads_of_queues_and_slow_writes_inside_them();
	backlog_beyond_a_second_is_skipped_and_counted();
	a_stop_of_the_process_is_a_gap_and_not_a_stall();
	a_stop_after_the_last_look_at_the_clock_is_a_gap_too();
	a_bare_sigcont_hides_no_stall();
	a_sleep_cut_short_does_not_start_a_write_early();
	trouble_is_counted_in_slots_and_ends_by_itself();
	the_class_is_that_of_the_page_touched_first();
	a_missing_segment_is_trouble_until_one_comes();
	an_interval_ends_where_it_was_asked_to();
	a_slow_writer_hands_over_before_it_sleeps_past_the_wish();
	a_sleeping_writer_hands_over_when_nudged_and_keeps_its_plan();
	return 0;
}
