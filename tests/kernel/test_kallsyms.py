"""Addresses get the names of the functions around them."""

from __future__ import annotations

import itertools
from pathlib import Path

from wlat_tui.kernel.kallsyms import Kallsyms, read_kallsyms

TEXT = b"""ffffffff81000000 T _stext
ffffffff81000000 t also_here
ffffffff810000f0 t __pfx_alloc_buffer_head
ffffffff81000100 t alloc_buffer_head
ffffffff81000200 T get_page_from_freelist
ffffffff82000000 D slab_mutex
ffffffff82000020 r a_constant
ffffffff82000040 b tasklist_lock
ffffffffc0000000 t xfs_file_write_iter\t[xfs]
nonsense
"""


def test_a_function_is_named_by_any_address_in_it() -> None:
    symbols = Kallsyms(TEXT.splitlines())
    assert symbols.function(0xFFFFFFFF81000100) == "alloc_buffer_head"
    assert symbols.function(0xFFFFFFFF810001FF) == "alloc_buffer_head"
    assert symbols.function(0xFFFFFFFF81000010) == "_stext"
    assert symbols.function(0xFFFFFFFF81000010) is symbols.function(0xFFFFFFFF81000020), "kept once, however often it is told"
    assert symbols.function(0xFFFFFFFFC0000123) == "xfs_file_write_iter"


def test_of_several_names_for_an_address_the_global_one_is_told_else_the_first_whatever_the_order() -> None:
    lines = [b"20 t third", b"10 t local", b"10 T known", b"10 t other", b"20 t fourth", b"8 W weak"]
    for order in itertools.permutations(range(len(lines))):
        symbols = Kallsyms(lines[i] for i in order)
        assert [symbols.function(address) for address in (8, 0x10, 0x1F)] == ["weak", "known", "known"]
        assert symbols.function(0x20) == ("third" if order.index(0) < order.index(4) else "fourth")


def test_many_symbols_are_named_each_by_its_own_name_also_where_some_are_far_away() -> None:
    for far in (1000, 1 << 40):
        lines = [b"%x t name_%d" % ((1 << 20) + 16 * i + far * (i >= 700), i) for i in range(1000)]
        symbols = Kallsyms(reversed(lines))
        assert [symbols.function(int(line.split()[0], 16) + 3) for line in lines] == [f"name_{i}" for i in range(1000)]
        assert symbols.function((1 << 20) - 1) == hex((1 << 20) - 1)


def test_padding_and_constants_take_no_room_and_name_nothing() -> None:
    symbols = Kallsyms(TEXT.splitlines())
    assert symbols.function(0xFFFFFFFF810000FF) == "_stext"
    assert symbols.variable(0xFFFFFFFF82000028) == "slab_mutex+0x28"


def test_what_no_symbol_is_near_to_stays_an_address() -> None:
    symbols = Kallsyms(TEXT.splitlines())
    assert symbols.function(0x1000) == "0x1000"
    assert symbols.function(0xFFFFFFFFF0000000) == "0xfffffffff0000000"
    assert symbols.variable(0xFFFF888000000000) is None


def test_a_lock_in_the_kernel_image_is_named() -> None:
    symbols = Kallsyms(TEXT.splitlines())
    assert symbols.variable(0xFFFFFFFF82000000) == "slab_mutex"
    assert symbols.variable(0xFFFFFFFF82000048) == "tasklist_lock+0x8"


def test_hidden_addresses_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/kallsyms").write_text("0000000000000000 T _stext\n0000000000000000 T vfs_write\n")
    assert read_kallsyms(tmp_path).hidden
    assert not Kallsyms(TEXT.splitlines()).hidden
