"""A plan: what takes turns, under which load, how long. A TOML file, checked whole before anything starts.

title = "zone_reclaim_mode under page-cache pressure"
question = "Is a reclaim on the own node cheaper than a page from the other one?"
rounds = 4               # each side once per round, in random order
phase = "20s"            # or: writes = 100000
warm-up = "5s"           # at least; also until every setting is in force and every load has its effect

[writer]                 # flags of the live screen, the same for every side
interval = "200us"

[load.page-cache]        # what is chosen about a load that a side names
node = 1

[[side]]
name = "off"
load = ["page-cache"]

[[side]]
name = "on"
load = ["page-cache"]
set = { zone_reclaim_mode = "1" }    # mitigations as on the screen; what a side does not set is as it was
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, NoReturn

from wlat_tui.loads import Load, Option, catalogue
from wlat_tui.mitigations import catalogue as mitigations
from wlat_tui.units import parse_duration_ns

MOST_SIDES = 6
ONCE = ("drop_caches",)
"""Mitigations that cannot be undone, so that no side can be without them again."""


class PlanError(Exception):
    """The plan cannot be used; the message is one sentence with the file and the line."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the things compared."""

    name: str
    toggles: Mapping[str, str]
    """Mitigation -> value."""
    loads: tuple[Load, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked plan. Exactly one of ``phase_ns`` and ``phase_writes`` is given."""

    name: str
    title: str
    question: str
    sides: tuple[Side, ...]
    """The first one is what the others are compared with."""
    writer: Mapping[str, str]
    """Flag of the live screen -> its text."""
    rounds: int
    phase_ns: int | None
    phase_writes: int | None
    warm_up_ns: int
    text: str
    """The file."""

    @property
    def toggles(self) -> tuple[str, ...]:
        """Every mitigation that any side sets, in the catalogue's order."""
        named = {name for side in self.sides for name in side.toggles}
        return tuple(mitigation.name for mitigation in mitigations() if mitigation.name in named)


def shipped() -> Mapping[str, Traversable]:
    """Plans that come with wlat, by name."""
    found = (files("wlat_tui.experiment") / "plans").iterdir()
    return {entry.name.removesuffix(".toml"): entry for entry in found if entry.name.endswith(".toml")}


def find_plan(named: str) -> Plan:
    """A plan by its file, or by name among those that come with wlat. Raises PlanError."""
    path = Path(named)
    if "/" not in named and named in shipped():
        return read_plan(named, shipped()[named].read_text(encoding="utf-8"))
    try:
        return read_plan(named, path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(shipped()))
        raise PlanError(f"there is no file {named}, and no plan of that name comes with wlat ({known})") from error
    except OSError as error:
        raise PlanError(f"{named} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{named} is not text in UTF-8") from error


def read_plan(name: str, text: str) -> Plan:
    """Check a plan's text. Raises PlanError naming *name* and the line."""
    try:
        return _Reader(name, text).plan(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        said = re.fullmatch(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", str(error), re.DOTALL)
        line = said[2] if said and said[2] else max(1, len(text.splitlines()))
        raise PlanError(f"{name}, line {line}: this is not TOML: {said[1] if said else error}") from error


class _Reader:
    """Turns what TOML made of the text into a plan, and finds the line of what is wrong."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text

    def plan(self, raw: Mapping[str, Any]) -> Plan:
        known = ("title", "question", "rounds", "phase", "writes", "warm-up", "writer", "load", "side")
        self._only(raw, (), known)
        title, question = self._string(raw, "title", ""), self._string(raw, "question", "")
        if ("phase" in raw) == ("writes" in raw):
            self._wrong(("writes" if "writes" in raw else "phase",), "give either phase (a time) or writes (a number)")
        loads = self._loads(self._table(raw, "load", ()))
        sides = raw.get("side", [])
        if not isinstance(sides, list) or not all(isinstance(side, dict) for side in sides):
            self._wrong(("side",), "sides are tables: [[side]]")
        if not 2 <= len(sides) <= MOST_SIDES:
            self._wrong(("side",), f"a comparison needs 2 to {MOST_SIDES} sides, this plan has {len(sides)}")
        read = tuple(self._side(side, number, loads) for number, side in enumerate(sides))
        for number, side in enumerate(read):
            if side.name in {other.name for other in read[:number]}:
                self._wrong(("side", number, "name"), f"there are two sides named '{side.name}'")
            if (side.toggles, side.loads) in [(other.toggles, other.loads) for other in read[:number]]:
                self._wrong(("side", number), f"side '{side.name}' is the same as another one")
        for name in loads.keys() - {load.name for side in read for load in side.loads}:
            self._wrong(("load", name), f"no side uses the load {name}")
        writer = self._table(raw, "writer", ())
        return Plan(
            name=self._name,
            title=title or self._name,
            question=question,
            sides=read,
            writer={key: self._scalar(value, ("writer", key)) for key, value in writer.items()},
            rounds=self._whole(raw, "rounds", 3, 1, 1_000),
            phase_ns=self._duration(raw, "phase", 1, 3_600) if "phase" in raw else None,
            phase_writes=self._whole(raw, "writes", 0, 1, 10**10) if "writes" in raw else None,
            warm_up_ns=self._duration(raw, "warm-up", 0, 3_600) if "warm-up" in raw else 3_000_000_000,
            text=self._text,
        )

    def _side(self, raw: Mapping[str, Any], number: int, loads: Mapping[str, Load]) -> Side:
        here = ("side", number)
        self._only(raw, here, ("name", "set", "load"))
        name = self._string(raw, "name", "", here)
        if not name:
            self._wrong(here, "a side needs a name")
        toggles = self._table(raw, "set", here)
        known = [mitigation.name for mitigation in mitigations() if mitigation.name not in ONCE]
        for toggle in toggles:
            if toggle not in known:
                self._wrong((*here, "set", toggle), f"'{toggle}' is none of what can be set: {', '.join(known)}")
        named = raw.get("load", [])
        if not isinstance(named, list) or not all(isinstance(load, str) for load in named):
            self._wrong((*here, "load"), 'loads are a list of names, such as ["page-cache"]')
        for load in named:
            if load not in catalogue():
                self._wrong((*here, "load"), f"'{load}' is not a load: there are {', '.join(catalogue())}")
        values = {toggle: self._scalar(value, (*here, "set", toggle)) for toggle, value in toggles.items()}
        return Side(name, values, tuple(loads.get(load) or catalogue()[load]() for load in dict.fromkeys(named)))

    def _loads(self, raw: Mapping[str, Any]) -> dict[str, Load]:
        found = {}
        for name in raw:
            if name not in catalogue():
                self._wrong(("load", name), f"'{name}' is not a load: there are {', '.join(catalogue())}")
            chosen = self._table(raw, name, ("load",))
            options: Mapping[str, Option] = catalogue()[name].options()
            self._only(chosen, ("load", name), tuple(options))
            values = {}
            for key, value in chosen.items():
                try:
                    values[options[key].field] = options[key].parse(self._scalar(value, ("load", name, key)))
                except ValueError as error:
                    self._wrong(("load", name, key), str(error))
            found[name] = catalogue()[name](**values)
        return found

    def _only(self, raw: Mapping[str, Any], here: tuple[str | int, ...], known: tuple[str, ...]) -> None:
        for key in raw:
            if key not in known:
                self._wrong((*here, key), f"'{key}' means nothing here, only {', '.join(known)}")

    def _table(self, raw: Mapping[str, Any], key: str, here: tuple[str | int, ...]) -> Mapping[str, Any]:
        value = raw.get(key, {})
        if not isinstance(value, dict):
            self._wrong((*here, key), f"{key} is a table")
        return dict(value)

    def _string(self, raw: Mapping[str, Any], key: str, default: str, here: tuple[str | int, ...] = ()) -> str:
        value = raw.get(key, default)
        if not isinstance(value, str):
            self._wrong((*here, key), f"{key} is a text in quotes")
        return " ".join(value.split())

    def _scalar(self, value: Any, here: tuple[str | int, ...]) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self._wrong(here, f"{here[-1]} takes a text or a number")
        return str(value)

    def _whole(self, raw: Mapping[str, Any], key: str, default: int, low: int, high: int) -> int:
        value = raw.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._wrong((key,), f"{key} is a whole number from {low} to {high}")
        return int(value)

    def _duration(self, raw: Mapping[str, Any], key: str, low_s: int, high_s: int) -> int:
        try:
            value_ns = parse_duration_ns(str(raw[key]))
        except ValueError as error:
            self._wrong((key,), str(error))
        if not low_s * 10**9 <= value_ns <= high_s * 10**9:
            self._wrong((key,), f"{key} is a time from {low_s}s to {high_s}s")
        return value_ns

    def _wrong(self, where: tuple[str | int, ...], what: str) -> NoReturn:
        raise PlanError(f"{self._name}, line {line_of(self._text, where)}: {what}")


def line_of(text: str, where: tuple[str | int, ...]) -> int:
    """Number of the line that holds this key, or else the innermost table around it, or else the last one.

    Args:
        text: TOML.
        where: keys from the outside in, and for arrays of tables the position.
    """
    table: tuple[str | int, ...] = ()
    counts: dict[str, int] = {}
    best, best_depth = len(text.splitlines()) or 1, 0
    for number, line in enumerate(text.splitlines(), 1):
        if (header := re.match(r"\s*(\[\[?)\s*([^\]]+?)\s*\]", line)) and "=" not in line.partition("]")[0]:
            keys: list[str | int] = [part.strip().strip("\"'") for part in header[2].split(".")]
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                keys.append(counts[header[2]])
            table = tuple(keys)
            here = table
        elif pair := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            here = (*table, *(part.strip("\"'") for part in pair[1].split(".")))
        else:
            continue
        depth = min(len(here), len(where))
        if here[:depth] == where[:depth] and depth > best_depth:
            best, best_depth = number, depth
    return best
