"""Opens by path: told only where no mark told of them, and only of those whose proc is another than ours."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tests.watch.test_names import CAT, SHELL, Records
from wlat_tui.evidence import Disturbance
from wlat_tui.frame import Settings
from wlat_tui.mitigations.watch_opens import WatchOpens
from wlat_tui.model.session import Session
from wlat_tui.sources import ChangeSettings
from wlat_tui.watch import probes as probes_module
from wlat_tui.watch.names import Names
from wlat_tui.watch.native import Hit
from wlat_tui.watch.opens import OPEN_CALLS, PATIENCE_NS, Opens, path_filter
from wlat_tui.watch.probes import PRINTERS, Probes
from wlat_tui.watcher import parse_wish

SLABINFO = "/proc/slabinfo"
LATER = 2 * PATIENCE_NS


def some_opens(root: Path, exit_ns: int = 0) -> Opens:
    records = Records()
    records.born(SHELL, 1, 1, "sh")
    records.born(CAT, SHELL, 5, exit_ns=exit_ns)
    return Opens(Names(records, root), root)  # type: ignore[arg-type]


def told(opens: Opens, at_ns: int, marked_ns: int | None = None) -> list[Disturbance]:
    opens.take(at_ns, CAT, SLABINFO, at_ns + 10)
    marked = {} if marked_ns is None else {(SLABINFO, CAT): marked_ns}
    assert opens.settle(marked, at_ns + 10) == [], "a mark may still tell of it"
    found = opens.settle(marked, at_ns + LATER)
    assert opens.settle(marked, at_ns + 2 * LATER) == []
    return found


def test_a_reader_that_no_mark_told_of_read_between_its_open_and_its_end(tmp_path: Path) -> None:
    (found,) = told(some_opens(tmp_path, exit_ns=150), 100)
    assert (found.kind, found.what, found.by.comm, found.by.parent_pid) == ("read", SLABINFO, "cat", SHELL)
    assert (found.begin_ns, found.end_ns, found.spent_ns) == (100, 150, None)


def test_who_goes_on_may_still_read(tmp_path: Path) -> None:
    (found,) = told(some_opens(tmp_path), 100)
    assert (found.begin_ns, found.end_ns) == (100, 100 + LATER)


def test_what_a_mark_told_of_is_not_told_twice(tmp_path: Path) -> None:
    assert told(some_opens(tmp_path), 100, marked_ns=120) == []
    assert len(told(some_opens(tmp_path), 100, marked_ns=90)) == 1, "that was another time"


@pytest.mark.parametrize("asked", [CAT, SHELL])
def test_who_has_our_proc_is_left_to_the_marks_as_the_call_may_have_failed(tmp_path: Path, asked: int) -> None:
    """Its parent is asked when it is gone."""
    place = tmp_path / f"proc/{asked}"
    place.mkdir(parents=True)
    (place / "root").symlink_to(tmp_path)
    assert told(some_opens(tmp_path), 100) == []
    (place / "root").unlink()
    (place / "root").symlink_to("/")
    assert len(told(some_opens(tmp_path), 100)) == 1, "a proc of its own"


class Kernel(Records):
    def __init__(self, refuses: int = 0) -> None:
        super().__init__()
        self.refuses, self.filters = refuses, list[str | None]()

    def probe(
        self, kind: int, config: int, tag: int, *, name: str = "", filter: str | None = None, at_once: bool = False
    ) -> None:
        if self.refuses:
            raise OSError(self.refuses, "refused")
        self.filters.append(filter)


def armed(monkeypatch: pytest.MonkeyPatch, kernel: Kernel, has: tuple[str, ...]) -> tuple[Probes, bool, str]:
    def number(_tracefs: int, event: str) -> int:
        if event not in has:
            raise FileNotFoundError(errno.ENOENT, "none", event)
        return 7

    monkeypatch.setattr(probes_module, "_event_id", number)
    monkeypatch.setattr(probes_module, "open_tracefs", lambda: probes_module.os.open("/", probes_module.os.O_RDONLY))
    probes = Probes(kernel, Names(kernel))  # type: ignore[arg-type]
    watch = probes.arm_opens()
    return probes, watch.armed, watch.why


def test_each_file_is_looked_for_in_each_call_that_the_kernel_has(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    probes, yes, _ = armed(monkeypatch, kernel, OPEN_CALLS[:2])
    assert yes
    assert kernel.filters == 2 * [path_filter(path) for path in PRINTERS]
    assert path_filter(SLABINFO) == 'filename.ustring ~ "*slabinfo"'
    assert probes.take([Hit(100, CAT, CAT, 4)], 110, "/data") == []
    (found,) = probes.opens.settle({}, LATER)
    assert found.what == SLABINFO


def test_a_kernel_that_cannot_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert armed(monkeypatch, Kernel(), ())[1:] == (False, "this kernel does not trace system calls (CONFIG_FTRACE_SYSCALLS)")
    assert armed(monkeypatch, Kernel(errno.EINVAL), OPEN_CALLS)[1:] == (
        False,
        "this kernel cannot compare paths (Linux 5.17 can)",
    )


def test_it_is_chosen_and_taken_back_like_a_setting_and_says_its_price_first() -> None:
    session, row = Session(), WatchOpens()
    assert row.current(session) == "off"
    on = row.request("on", session)
    assert isinstance(on, ChangeSettings)
    assert on.settings == Settings(watch_opens=True)
    assert "every system call of every process" in row.caution
    with pytest.raises(ValueError, match="not one of off and on"):
        row.request("perhaps", session)


def test_a_wish_says_true_or_false() -> None:
    wish = b'{"device": "8:1", "filesystem": "ext4", "mount_point": "/", "own": [], "avoid_cpus": [], "opens": %s}'
    assert parse_wish(wish % b"true").opens
    with pytest.raises(ValueError, match="true or false"):
        parse_wish(wish % b"1")
