"""The ledger: what is written is read back or recognised as damaged, and nobody else can have written it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mitigations.tree import BOOT_ID, OTHER_BOOT_ID
from wlat_tui.ledger import Entry, Ledger, LedgerError, LedgerHeld, _decode, _encode, read_boot_id

ENTRIES = {
    "swappiness": Entry("60", "10"),
    "thp": Entry("madvise", None, writing="never"),
    "min_free_kbytes": Entry("67584", "67584", asked=False),
}
NAME = f"originals-{BOOT_ID}.json"
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
maybe = st.none() | values
entries = st.dictionaries(st.text(min_size=1, max_size=20), st.builds(Entry, values, maybe, maybe, st.booleans()))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


def write(directory: Path, boot_id: str = BOOT_ID) -> None:
    ledger = Ledger(directory, boot_id)
    ledger.save(ENTRIES, durable=True)
    ledger.close()


@settings(deadline=None)
@given(entries)
def test_what_is_encoded_decodes_to_the_same_entries_in_the_same_order(found: dict[str, Entry]) -> None:
    assert list(_decode(_encode(found)).items()) == list(found.items())


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_bytes_that_are_no_ledger_are_refused_with_a_reason_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        _decode(data)


def test_a_ledger_cut_off_at_any_byte_is_damaged_and_says_what_to_do(directory: Path) -> None:
    write(directory)
    whole = (directory / NAME).read_bytes()
    for length in range(len(whole)):
        (directory / NAME).write_bytes(whole[:length])
        with pytest.raises(LedgerError, match=r"is damaged .* changes nothing") as caught:
            Ledger(directory, BOOT_ID)
        assert caught.value.fix == f"sudo rm {directory / NAME}"


def test_a_ledger_with_any_byte_altered_is_damaged(directory: Path) -> None:
    write(directory)
    whole = (directory / NAME).read_bytes()
    for position in range(len(whole)):
        altered = bytearray(whole)
        altered[position] ^= 1
        (directory / NAME).write_bytes(bytes(altered))
        with pytest.raises(LedgerError, match="is damaged"):
            Ledger(directory, BOOT_ID)


def test_the_directory_and_the_file_are_closed_to_others(directory: Path) -> None:
    write(directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / NAME).stat().st_mode & 0o777 == 0o600


def test_an_earlier_ledger_of_this_boot_is_read_back(directory: Path) -> None:
    write(directory)
    ledger = Ledger(directory, BOOT_ID)
    assert dict(ledger.entries) == ENTRIES
    ledger.close()


def test_a_ledger_of_another_boot_is_removed_unread_even_when_damaged(directory: Path) -> None:
    write(directory, OTHER_BOOT_ID)
    (directory / f"originals-{OTHER_BOOT_ID}.json").write_bytes(b"{")
    ledger = Ledger(directory, BOOT_ID)
    assert ledger.entries == {}
    assert any("reboot" in note for note in ledger.notes)
    assert sorted(os.listdir(directory)) == ["lock"]
    ledger.close()


def test_an_empty_ledger_leaves_no_file(directory: Path) -> None:
    ledger = Ledger(directory, BOOT_ID)
    ledger.save(ENTRIES, durable=True)
    ledger.save({}, durable=False)
    assert sorted(os.listdir(directory)) == ["lock"]
    ledger.close()


def test_the_second_to_open_learns_who_is_the_first_and_can_follow_when_it_closes(directory: Path) -> None:
    first = Ledger(directory, BOOT_ID)
    with pytest.raises(LedgerHeld, match=rf"another wlat .* \(pid {os.getpid()}, since [0-9-]+ [0-9:]+ UTC\)"):
        Ledger(directory, BOOT_ID)
    first.close()
    Ledger(directory, BOOT_ID).close()


def test_a_symbolic_link_in_place_of_the_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger(directory, BOOT_ID)
    assert not any((tmp_path / "elsewhere").iterdir())


def test_a_symbolic_link_in_place_of_the_lock_is_not_followed(directory: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    directory.mkdir(mode=0o700)
    (directory / "lock").symlink_to(victim)
    with pytest.raises(LedgerError, match="cannot be"):
        Ledger(directory, BOOT_ID)
    assert victim.read_text() == "precious"


def test_a_symbolic_link_in_place_of_the_file_is_not_followed(directory: Path, tmp_path: Path) -> None:
    write(directory)
    (directory / NAME).rename(tmp_path / "elsewhere")
    (directory / NAME).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(directory, BOOT_ID)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o720])
def test_a_directory_open_to_others_is_refused(directory: Path, mode: int) -> None:
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(LedgerError, match="open to others"):
        Ledger(directory, BOOT_ID)


def test_a_file_open_to_others_is_refused(directory: Path) -> None:
    write(directory)
    (directory / NAME).chmod(0o606)
    with pytest.raises(LedgerError, match="open to others"):
        Ledger(directory, BOOT_ID)


@pytest.mark.root
def test_a_directory_of_another_user_is_refused(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    os.chown(directory, 65534, 65534)
    with pytest.raises(LedgerError, match="belongs to uid 65534"):
        Ledger(directory, BOOT_ID)


def test_entries_that_make_no_sense_are_damage_even_with_the_right_checksum() -> None:
    whole = '{"thp": {"original": "a\\n", "ours": null, "writing": null, "asked": true}}'
    for body in ('{"thp": 1}', '{"thp": {"original": "a"}}', whole, "[]"):
        data = body.encode()
        with pytest.raises(ValueError, match="not a"):
            _decode(data + b"\n%08x\n" % crc32(data))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of four pages."""
    mount = tmp_path / "tiny"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "tmpfs", str(mount)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no filesystem can be mounted here: {made.stderr.strip()}")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def fill(directory: Path) -> None:
    """Leave no page free."""
    with (directory / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(4096)):
            continue


@pytest.mark.root
def test_on_a_full_disk_the_old_ledger_stays_and_can_still_be_emptied(tiny_disk: Path) -> None:
    ledger = Ledger(tiny_disk / "ledger", BOOT_ID)
    try:
        ledger.save(ENTRIES, durable=True)
        fill(tiny_disk)
        with pytest.raises(OSError, match="No space left"):
            ledger.save({"swappiness": ENTRIES["swappiness"]}, durable=True)
        assert dict(ledger.entries) == ENTRIES
        assert _decode((tiny_disk / "ledger" / NAME).read_bytes()) == ENTRIES
        ledger.save({}, durable=True)
        assert sorted(os.listdir(tiny_disk / "ledger")) == ["lock"]
    finally:
        ledger.close()


@pytest.mark.parametrize("text", [None, "", "not-a-boot-id", "../../etc/passwd"])
def test_without_a_boot_id_nothing_can_be_saved(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "proc/sys/kernel/random/boot_id"
    path.parent.mkdir(parents=True)
    if text is not None:
        path.write_text(text)
    with pytest.raises(LedgerError, match="boot"):
        read_boot_id(tmp_path)
