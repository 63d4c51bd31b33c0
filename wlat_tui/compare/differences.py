"""What two sides do not have in common, besides what is being compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import fields

from wlat_tui.compare.side import Side
from wlat_tui.frame import Host, Settings
from wlat_tui.units import format_ns

LONGER = 2.0
"""A maximum over so much more time is larger by itself."""
_SETTINGS = ("tick_ns", "disk_limit_bytes")
"""Of no consequence for a write."""
_FIELD = {"pin": "cpus"}
"""Mitigations whose field of `Settings` has another name."""


def warnings(a: Side, b: Side, about: Collection[str] = ()) -> Iterator[str]:
    """One sentence each, most serious first; not about these mitigations."""
    yield from _hosts(a, b)
    yield from _settings(a, b, about)
    yield from _knobs(a, b, about)
    yield from _tracing(a, b)
    lengths = (a.length_ns, b.length_ns)
    if min(lengths) and max(lengths) > LONGER * min(lengths):
        yield (
            f"{a.name} lasts {format_ns(lengths[0])} and {b.name} {format_ns(lengths[1])}: "
            "the longer one had more time for a worst write"
        )
    for side in (a, b):
        lost = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in side.losses.items() if count)
        if lost:
            yield f"{side.name} is incomplete: {lost} lost"
        if side.error_slots:
            yield f"in {side.name} {side.error_slots} writes could not be made (disk full, or an error)"


def _hosts(a: Side, b: Side) -> Iterator[str]:
    if a.host is None or b.host is None:
        yield "a side does not say which host it is from"
        return
    for what, of in (
        ("hosts", lambda host: host.hostname),
        ("kernels", lambda host: host.kernel),
        ("CPUs", lambda host: host.cpu or "n/a"),
        ("numbers of CPUs", lambda host: str(len(host.cpus_online))),
        ("numbers of nodes", lambda host: str(len(host.nodes))),
        ("page sizes", lambda host: str(host.page_bytes)),
        ("targets", _target),
        ("clock sources", lambda host: host.clocksource or "n/a"),
        ("permissions", lambda host: host.privilege),
        ("settings of MGLRU", lambda host: host.mglru or "n/a"),
    ):
        yield from _differ(what, a, of(a.host), b, of(b.host))


def _target(host: Host) -> str:
    target = host.target
    return "n/a" if target is None else f"{target.filesystem} on {target.device} ({target.mount_options})"


def _settings(a: Side, b: Side, about: Collection[str]) -> Iterator[str]:
    for field in fields(Settings):
        meant = any(field.name.startswith(_FIELD.get(name, name)) for name in about)
        if field.name not in _SETTINGS and not meant:
            values = [_listed(getattr(settings, field.name) for settings in side.settings) for side in (a, b)]
            yield from _differ(f"settings of {field.name}", a, values[0], b, values[1])


def _listed(values: Iterator[object]) -> str:
    texts = dict.fromkeys(getattr(value, "name", str(value)).lower() for value in values)
    return ", then ".join(texts) or "n/a"


def _knobs(a: Side, b: Side, about: Collection[str]) -> Iterator[str]:
    for name in sorted({*a.knobs, *b.knobs} - set(about)):
        values = [_listed(value or "n/a" for value in side.knobs.get(name, ())) for side in (a, b)]
        yield from _differ(f"values of {name}", a, values[0], b, values[1])


def _tracing(a: Side, b: Side) -> Iterator[str]:
    levels = ["n/a" if side.tracer is None else side.tracer.level.name.lower() for side in (a, b)]
    yield from _differ("levels of tracing", a, levels[0], b, levels[1])


def _differ(what: str, a: Side, of_a: str, b: Side, of_b: str) -> Iterator[str]:
    if of_a != of_b:
        yield f"different {what}: {of_a} in {a.name}, {of_b} in {b.name}"
