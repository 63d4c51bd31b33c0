"""The settings one keeper holds: each change is saved, written, read back, and put back in reverse order.

Rule for other people's changes: what wlat last wrote is remembered, and anything else found there was written by someone else.
From that moment the setting is no longer ours: it is forgotten, never restored, and what they wrote is its original if the user
asks for a new change. A change that discovers this is itself refused once, so that nobody's value is overwritten unseen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from wlat_tui.knob_state import KnobState, Mark
from wlat_tui.ledger import Entry, Ledger, LedgerError, read_boot_id
from wlat_tui.mitigations import Knob, Unavailable, knobs
from wlat_tui.mitigations.knob import blocked, check_writable, put, writable_reason
from wlat_tui.sources import Outcome

DROP_CACHES = "drop_caches"
STEP_PAUSE_S = 0.1
"""Between steps of a raise: kswapd refills the zones meanwhile (100 ms is how long it stays half asleep, mm/vmscan.c)."""


class Holding:
    """Every change of a host setting goes through here, in the keeper and in ``wlat restore``.

    Attributes:
        marks: what happened and was not reported yet; the caller takes them away.
        notes: sentences that are not about one setting, likewise.
    """

    def __init__(self, root: Path, directory: Path, pause: Callable[[float], bool] | None = None) -> None:
        """``pause`` waits that many seconds and says whether a change under way is to be broken off; by default never."""
        self.root = root
        self.directory = directory
        self.knobs: Mapping[str, Knob] = knobs()
        self.marks: list[Mark] = []
        self.notes: list[str] = []
        self._pause = pause or _sleep
        self._ledger: Ledger | None = None

    def acquire(self) -> Unavailable | None:
        """Take the lock and put back what a killed keeper left, unless done. Returns why nothing can be changed, if so."""
        if self._ledger is not None:
            return None
        try:
            self._ledger = Ledger(self.directory, read_boot_id(self.root))
        except LedgerError as error:
            return Unavailable(str(error), error.fix)
        except OSError as error:
            return Unavailable(f"{self.directory}, where originals are saved, cannot be used: {error.strerror}", None)
        self.notes += self._ledger.notes
        if self._ledger.entries:
            self.notes.append("an earlier wlat was killed before it could put everything back; doing it now")
            self.restore_all()
        return None

    def close(self) -> None:
        """Give the lock back; restores nothing."""
        if self._ledger is not None:
            self._ledger.close()
            self._ledger = None

    @property
    def held(self) -> Mapping[str, Entry]:
        """What is changed now, oldest first."""
        return self._ledger.entries if self._ledger else {}

    def state(self) -> dict[str, KnobState]:
        """Every setting as it stands; notices changes made by others."""
        reason = self.acquire()
        found = {name: self._state(knob, reason) for name, knob in self.knobs.items()}
        return found | {DROP_CACHES: _known(None, None, reason or self._no_drop_caches())}

    def _no_drop_caches(self) -> Unavailable | None:
        try:
            check_writable(self.root / "proc/sys/vm/drop_caches")
        except OSError as error:
            return Unavailable(writable_reason(error), None)
        return None

    def _state(self, knob: Knob, reason: Unavailable | None) -> KnobState:
        try:
            current = knob.read(self.root)
        except OSError as error:
            return KnobState(None, None, f"{knob.title}: {writable_reason(error)}")
        self._notice_foreign(knob, current)
        entry = self.held.get(knob.name)
        return _known(current, entry.original if entry else None, blocked(knob, self.root) or reason)

    def set(self, name: str, value: str) -> Outcome:
        """Give a setting a value. The first change saves the original; the original itself as value is a restore."""
        knob = self.knobs.get(name)
        if knob is None:
            return Outcome(False, "that is not a setting wlat may change")
        if (why := self.acquire() or blocked(knob, self.root)) is not None:
            return Outcome(False, why.reason)
        try:
            current = knob.read(self.root)
        except OSError as error:
            return Outcome(False, f"{knob.title}: {writable_reason(error)}")
        if current is None:
            return Outcome(False, f"this kernel has no {knob.title}")
        if self._notice_foreign(knob, current):
            return Outcome(False, f"{self.marks[-1].text}; ask again if it is to be changed all the same")
        entry = self.held.get(name, Entry(original=current, ours=current))
        if value == entry.original and name in self.held:
            return self.restore(name)
        if not knob.well_formed(entry.original):
            return Outcome(False, f"{knob.title} reads '{entry.original[:80]}', which wlat would not know how to put back")
        if (refusal := knob.refuse(value, self.root, entry.original)) is not None:
            return Outcome(False, refusal)
        if value == current:
            return Outcome(True, f"{knob.title} is already {value}")
        return self._change(knob, entry, current, value)

    def restore(self, name: str) -> Outcome:
        """Give one setting its original back, unless someone else has changed it since. ok is False when that failed."""
        knob = self.knobs.get(name)
        if knob is None:
            return Outcome(False, "that is not a setting wlat may change")
        if (why := self.acquire()) is not None:
            return Outcome(False, why.reason)
        entry = self.held.get(name)
        if entry is None:
            return Outcome(True, f"{knob.title} was not changed by wlat")
        if not knob.well_formed(entry.original):
            return Outcome(False, f"{knob.title} cannot be put back: the saved original is not a value it takes")
        try:
            return self._put_back(knob, entry)
        except OSError as error:
            return Outcome(False, f"{knob.title} could not be put back to {entry.original}: {writable_reason(error)}")

    def restore_all(self) -> Outcome:
        """Put everything back, last change first. ok is False when something could not be."""
        if (why := self.acquire()) is not None:
            return Outcome(False, why.reason)
        names = list(self.held)[::-1]
        outcomes = [self.restore(name) for name in names if name in self.held]
        for name in set(self.held) - set(self.knobs):
            outcomes.append(Outcome(False, f"{name[:40]!r} in the ledger is not a setting this version of wlat knows"))
        failed = [outcome.message for outcome in outcomes if not outcome.ok]
        if failed:
            return Outcome(False, "; ".join(failed))
        return Outcome(True, "; ".join(outcome.message for outcome in outcomes) or "nothing was changed, nothing to put back")

    def drop_caches(self) -> Outcome:
        """Write 1 to vm.drop_caches: clean page cache goes, dirty pages stay. Cannot be put back."""
        if (why := self.acquire()) is not None:
            return Outcome(False, why.reason)
        try:
            put(self.root / "proc/sys/vm/drop_caches", "1")
        except OSError as error:
            return Outcome(False, writable_reason(error))
        self._mark("applied", DROP_CACHES, None, "1", "dropped the clean page cache of the whole host (cannot be undone)")
        return Outcome(True, "dropped the clean page cache of the whole host")

    def _change(self, knob: Knob, entry: Entry, current: str, value: str) -> Outcome:
        new = knob.name not in self.held
        for position, step in enumerate(knob.steps(value, self.root)):
            if position and self._pause(STEP_PAUSE_S):
                return Outcome(False, f"{knob.title}: broken off on the way to {value}")
            try:
                self._save_before(knob, replace(entry, writing=step, asked=True), durable=new and not position)
            except OSError as error:
                cannot = f"its original cannot be saved in {self.directory}: {error.strerror}"
                return Outcome(False, f"{knob.title} was not changed, because {cannot}")
            refused = self._write(knob, step)
            if refused is not None:
                return Outcome(False, f"the kernel refused {step} for {knob.title}: {refused}")
        got = knob.read(self.root)
        if got == current:
            return Outcome(False, f"the kernel took {value} for {knob.title} but kept {current}")
        kept = "" if got == value else f" (asked for {value}, this is what the kernel made of it)"
        text = f"{knob.title}: {current} -> {got}{kept}"
        self._mark("applied", knob.name, current, got, text)
        return Outcome(True, text)

    def _put_back(self, knob: Knob, entry: Entry) -> Outcome:
        current = knob.read(self.root)
        if current is None:
            return Outcome(False, f"{knob.title} is gone, so it could not be put back to {entry.original}")
        if current != entry.original and not entry.is_ours(current):
            self._notice_foreign(knob, current)
            return Outcome(True, self.marks[-1].text)
        if current != entry.original:
            try:
                self._save_before(knob, replace(entry, writing=entry.original), durable=False)
            except OSError as error:
                # an old record that still names our value will do; putting back matters more
                self.notes.append(f"the ledger in {self.directory} could not be brought up to date: {error.strerror}")
            refused = self._write(knob, entry.original)
            got = knob.read(self.root)
            if got != entry.original:
                why = refused or f"the kernel kept {got}"
                return Outcome(False, f"{knob.title} could not be put back to {entry.original}: {why}")
        text = f"{knob.title}: put back to {entry.original}"
        self._forget(knob.name)
        if entry.asked or current != entry.original:
            self._mark("restored", knob.name, current, entry.original, text)
        moved = [self.restore(name) for name in knob.touches if name in self.held and not self.held[name].asked]
        failed = [outcome.message for outcome in moved if not outcome.ok]
        return Outcome(False, "; ".join([text, *failed])) if failed else Outcome(True, text)

    def _save_before(self, knob: Knob, entry: Entry, *, durable: bool) -> None:
        """Record what is about to be written, and the originals of what that may move. Raises OSError: nothing has changed."""
        assert self._ledger is not None
        entries = dict(self.held)
        for name in knob.touches:
            moved = self.knobs[name].read(self.root)
            if moved is None or not self.knobs[name].well_formed(moved):
                continue
            beside = entries.get(name, Entry(original=moved, ours=moved, asked=False))
            durable = durable or name not in entries
            if beside.is_ours(moved):
                entries[name] = replace(beside, writing=moved)
        self._ledger.save({**entries, knob.name: entry}, durable=durable)

    def _write(self, knob: Knob, value: str) -> str | None:
        """Write, read back what the kernel made of it, record that. Returns the kernel's refusal, if any."""
        refused = None
        try:
            knob.write(value, self.root)
        except OSError as error:
            refused = writable_reason(error)
        settled = {}
        for name, entry in self.held.items():
            got = self.knobs[name].read(self.root) if entry.writing is not None and name in self.knobs else None
            settled[name] = entry if got is None else replace(entry, ours=got, writing=None)
        if settled[knob.name].ours == settled[knob.name].original:
            del settled[knob.name]  # nothing came of it, or the kernel made the original of it
        self._record(settled)
        return refused

    def _notice_foreign(self, knob: Knob, current: str | None) -> bool:
        """Forget a setting that someone else has changed since our last write, and say so."""
        entry = self.held.get(knob.name)
        if entry is None or current is None or entry.is_ours(current):
            return False
        self._forget(knob.name)
        what = "put back to its original" if current == entry.original else f"changed to {current}"
        ours = f"wlat had set {entry.ours}, originally {entry.original}"
        text = f"{knob.title} was {what} by something other than wlat ({ours}); left alone"
        self._mark("foreign", knob.name, entry.ours, current, text)
        return True

    def _forget(self, name: str) -> None:
        if name in self.held:
            self._record({other: entry for other, entry in self.held.items() if other != name})

    def _record(self, entries: Mapping[str, Entry]) -> None:
        """Bring the ledger up to date after the fact. A failure is not fatal: the old record still leads to the originals."""
        assert self._ledger is not None
        try:
            self._ledger.save(entries, durable=False)
        except OSError as error:
            self.notes.append(f"the ledger in {self.directory} could not be brought up to date: {error.strerror}")
            self._ledger.entries = dict(entries)

    def _mark(self, kind: str, name: str, before: str | None, after: str | None, text: str) -> None:
        self.marks.append(Mark(time.monotonic_ns(), kind, name, before, after, text))


def _known(current: str | None, original: str | None, why: Unavailable | None) -> KnobState:
    return KnobState(current, original, why.reason, why.fix) if why else KnobState(current, original)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
