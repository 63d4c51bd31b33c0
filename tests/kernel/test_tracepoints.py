"""Format files of tracepoints are understood, whatever stands in them."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.kernel.tracepoints import Field, parse_format

SWITCH = """name: sched_switch
ID: 372
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:int prev_prio;\toffset:28;\tsize:4;\tsigned:1;
\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;
"""
ODD = """
\tfield:__data_loc char[] name;\toffset:8;\tsize:4;\tsigned:1;
\tfield:__rel_loc char[] near;\toffset:12;\tsize:4;\tsigned:1;
\tfield:unsigned long args[6];\toffset:16;\tsize:48;\tsigned:0;
\tfield:void * lock_addr;\toffset:64;\tsize:8;\tsigned:0;
\tfield:unsigned int old;\toffset:72;\tsize:4;
"""


def test_numbers_and_texts_of_a_record_are_read() -> None:
    raw = struct.pack("=HBBi16siiq", 372, 0, 0, 5, b"kswapd0", -1, 120, 2)
    numbers, texts = parse_format(SWITCH).values(raw)
    assert numbers == {"prev_pid": -1, "prev_prio": 120, "prev_state": 2}
    assert texts == {"prev_comm": "kswapd0"}


def test_texts_that_lie_elsewhere_are_found_and_arrays_left_out() -> None:
    parsed = parse_format(ODD)
    assert [field.name for field in parsed.fields] == ["name", "near", "lock_addr", "old"]
    assert parsed.fields[2] == Field("lock_addr", 64, 8, False, "number")
    # name: 4 bytes at 76; near: 3 bytes at 80, counted from the end of its own field at 16
    where = struct.pack("=II", 4 << 16 | 76, 3 << 16 | 64)
    raw = bytes(8) + where + bytes(48) + struct.pack("=QI", 0xABC, 9) + b"abc\0xy\0"
    numbers, texts = parsed.values(raw)
    assert numbers == {"lock_addr": 0xABC, "old": 9}
    assert texts == {"name": "abc", "near": "xy"}


@given(st.text(max_size=300) | st.sampled_from([SWITCH, ODD]), st.binary(max_size=100))
def test_no_text_and_no_record_is_too_strange(text: str, raw: bytes) -> None:
    numbers, texts = parse_format(text).values(raw)
    assert all(isinstance(number, int) for number in numbers.values())
    assert all(isinstance(value, str) for value in texts.values())


@given(st.sampled_from([SWITCH, ODD]), st.binary(max_size=100))
def test_reading_all_fields_at_once_gives_what_reading_them_one_by_one_does(text: str, raw: bytes) -> None:
    parsed = parse_format(text)
    assert parsed.values(raw) == parsed._one_by_one(raw)
