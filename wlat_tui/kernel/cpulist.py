"""CPU and node lists as the kernel prints them: ``0-3,8,10-11`` (lib/vsprintf.c %*pbl) and the older hexadecimal maps."""

from __future__ import annotations

from collections.abc import Iterable

LARGEST = 1 << 20
"""No kernel has more CPUs or nodes; a larger number in a list typed by hand would only eat memory."""


def parse_cpulist(text: str) -> tuple[int, ...]:
    """``0-3,8`` -> (0, 1, 2, 3, 8); also ``0-15:2/4`` as the kernel accepts it (groups of 4, the first 2 of each). "" -> ().

    Raises:
        ValueError: not a list, in one sentence.
    """
    found: set[int] = set()
    for part in text.strip().strip("\0").strip().split(","):
        if part.strip():
            found.update(_span(part.strip(), text.strip()))
    return tuple(sorted(found))


def _span(part: str, whole: str) -> Iterable[int]:
    span, _, stride = part.partition(":")
    first, dash, last = span.partition("-")
    used, _, group = stride.partition("/")
    numbers = [first, *([last] if dash else []), *([used, group] if stride else [])]
    if not all(number.strip().isdecimal() for number in numbers):
        raise ValueError(f"'{whole}' is not a list such as 0-3,8: '{part}' is not a number or a range")
    begin = int(first)
    end = int(last) if dash else begin
    if end < begin or end > LARGEST:
        raise ValueError(f"'{whole}' is not a list such as 0-3,8: '{part}' runs backwards or is too large")
    if not stride:
        return range(begin, end + 1)
    if int(group) == 0 or int(used) > int(group):
        raise ValueError(f"'{whole}' is not a list such as 0-3,8: '{part}' takes more than its group holds")
    return (number for number in range(begin, end + 1) if (number - begin) % int(group) < int(used))


def format_cpulist(numbers: Iterable[int]) -> str:
    """(0, 1, 2, 3, 8) -> ``0-3,8``, as the kernel prints it."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def parse_cpumap(text: str) -> tuple[int, ...]:
    """``00000001,0000000f`` -> (0, 1, 2, 3, 32): 32-bit words, highest first. Raises ValueError."""
    digits = text.strip().strip("\0").strip()
    words = [word.strip() for word in digits.split(",")]
    if not digits:
        return ()
    try:
        bits = int("".join([words[0], *(word.zfill(8) for word in words[1:])]), 16)
    except ValueError as error:
        raise ValueError(f"'{digits}' is not a CPU map such as 00000001,0000000f") from error
    return tuple(number for number in range(bits.bit_length()) if bits >> number & 1)
