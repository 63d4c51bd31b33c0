"""The keeper: the one process of wlat that writes kernel settings. ``python -I -m wlat_tui.keeper``, as root.

It reads requests from stdin and answers on stdout, one JSON object a line (so it works through ``sudo -n``); the operations are
the closed list `OPERATIONS`, settings and values are checked here, and nothing else is taken from the client: no path, no
command.
It puts everything back on ``bye``, on end of input (the screen died, the connection was cut) and on SIGTERM, and ignores what
a terminal sends. If it is killed itself, the next keeper does it from the ledger before anything else.

    request  {"id": 7, "op": "set", "knob": "swappiness", "value": "10"}
    answer   {"id": 7, "ok": true, "message": "vm.swappiness: 60 -> 10", "marks": [...], "notes": [...]}
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from wlat_tui import __version__
from wlat_tui.holding import Holding
from wlat_tui.kernel.kallsyms import Kallsyms, read_kallsyms
from wlat_tui.ledger import LEDGER_DIRECTORY
from wlat_tui.listing import NAME, read_listing
from wlat_tui.sources import Outcome

PROTOCOL = 1
LONGEST_LINE_BYTES = 4096
OPERATIONS: dict[str, frozenset[str]] = {
    "hello": frozenset(),
    "state": frozenset(),
    "set": frozenset({"knob", "value"}),
    "restore": frozenset({"knob"}),
    "restore_all": frozenset(),
    "drop_caches": frozenset(),
    "symbols": frozenset({"addresses"}),
    "listing": frozenset({"from_ns", "to_ns"}),
    "bye": frozenset(),
}
"""Operation -> the fields it takes, all of them text."""
_IGNORED = ("HUP", "INT", "QUIT", "PIPE", "TSTP", "TTIN", "TTOU", "USR1", "USR2", "ALRM", "VTALRM", "PROF")
"""Signals that a terminal, a broken pipe or a mistyped kill may send, and that would otherwise end or stop us."""


class Refused(Exception):
    """A request that is not carried out; the message is one sentence."""


class Pipe:
    """Lines in, lines out, and the wish to stop: SIGTERM, end of input, or nobody reading the answers any more."""

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self.ended = False
        self._in = fd_in
        self._out = fd_out
        self._wake, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._end)
        for name in _IGNORED:
            signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_IGN)

    def _end(self, _number: int, _frame: object) -> None:
        self.ended = True

    def lines(self) -> Iterator[bytes | None]:
        """Requests as they come; None for a line that is too long. Ends with the wish to stop."""
        kept, skipping = b"", False
        while not self.ended and (data := self._read()):
            *lines, kept = (kept + data).split(b"\n")
            for line in lines:
                if not skipping and not self.ended:
                    yield None if len(line) > LONGEST_LINE_BYTES else line
                skipping = False
            if len(kept) > LONGEST_LINE_BYTES:
                if not skipping:
                    yield None
                kept, skipping = b"", True
        self.ended = True

    def _read(self) -> bytes:
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while not self.ended:
            ready = [fd for fd, _ in poll.poll()]
            if self._wake in ready:
                os.read(self._wake, 64)
            elif self._in in ready:
                try:
                    return os.read(self._in, LONGEST_LINE_BYTES)
                except OSError:
                    return b""  # a terminal that hung up says EIO: the same as its end
        return b""

    def send(self, answer: dict[str, Any]) -> None:
        """One line. A reader who is stopped holds us up, but not SIGTERM: a pipe that polls writable takes PIPE_BUF at once."""
        data = json.dumps(answer).encode("ascii") + b"\n"
        poll = select.poll()
        poll.register(self._out, select.POLLOUT)
        poll.register(self._wake, select.POLLIN)
        while data and not self.ended:
            for fd, event in poll.poll():
                if fd == self._wake:
                    os.read(self._wake, 64)
                elif event & select.POLLOUT:
                    try:
                        data = data[os.write(self._out, data[: select.PIPE_BUF]) :]
                    except OSError:
                        self.ended = True  # nobody reads any more: the same as the end of input
                else:
                    self.ended = True

    def pause(self, seconds: float) -> bool:
        """Wait in the middle of a change; True when it is to be broken off because everything is to be put back."""
        poll = select.poll()
        poll.register(self._in, 0)  # only hang-up and error, which cannot be masked
        poll.register(self._wake, select.POLLIN)
        for fd, _ in poll.poll(seconds * 1000):
            if fd == self._in:
                self.ended = True
            else:
                os.read(self._wake, 64)
        return self.ended


def parse_request(line: bytes | None) -> dict[str, Any]:
    """Check the shape of one request. Raises Refused."""
    if line is None:
        raise Refused(f"the request is longer than {LONGEST_LINE_BYTES} bytes")
    try:
        request: dict[str, Any] = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused("the request is not one line of JSON") from None
    operation = request.get("op") if isinstance(request, dict) else None
    if not isinstance(operation, str) or operation not in OPERATIONS:
        raise Refused(f"the request names no operation of {', '.join(OPERATIONS)}")
    if set(request) != OPERATIONS[operation] | {"id", "op"}:
        raise Refused(f"{operation} takes exactly these fields: {', '.join(['id', 'op', *sorted(OPERATIONS[operation])])}")
    if type(request["id"]) is not int or not all(isinstance(request[name], str) for name in OPERATIONS[operation]):
        raise Refused(f"{operation} takes a whole number as id and text for everything else")
    return request


def carry_out(request: dict[str, Any], holding: Holding) -> dict[str, Any]:
    """Do what one well-formed request says."""
    if request["op"] in ("hello", "state"):
        reason = holding.acquire()
        knobs = {name: asdict(state) for name, state in holding.state().items()}
        answer: dict[str, Any] = {"ok": True, "message": "", "knobs": knobs, "read_only": reason.reason if reason else None}
        if request["op"] == "hello":
            answer |= {"protocol": PROTOCOL, "version": __version__, "pid": os.getpid()}
        return answer
    if request["op"] == "symbols":
        return {"ok": True, "message": "", "names": name_functions(request["addresses"])}
    if request["op"] == "listing":
        return {"ok": True, "message": "", "text": listing_of(request["from_ns"], request["to_ns"], holding)}
    does: dict[str, Callable[[], Outcome]] = {
        "set": lambda: holding.set(request["knob"], request["value"]),
        "restore": lambda: holding.restore(request["knob"]),
        "restore_all": holding.restore_all,
        "drop_caches": holding.drop_caches,
        # one that never got the lock has changed nothing, and leaves without a complaint
        "bye": lambda: holding.restore_all() if holding.held else Outcome(True, "nothing was changed, nothing to put back"),
    }
    outcome = does[request["op"]]()
    return {"ok": outcome.ok, "message": outcome.message, "end": request["op"] == "bye"}


@cache
def _kallsyms() -> Kallsyms:
    return read_kallsyms()


def name_functions(addresses: str) -> list[str]:
    """Names of the kernel functions at these addresses (hexadecimal, blanks between): /proc/kallsyms hides them from the user,
    whose screen has the addresses already, from the call chains of its writer. Raises Refused."""
    try:
        numbers = [int(word, 16) for word in addresses.split()]
    except ValueError:
        raise Refused("symbols takes hexadecimal addresses") from None
    return [_kallsyms().function(number) for number in numbers]


def listing_of(from_ns: str, to_ns: str, holding: Holding) -> str:
    """What the function listing recorded in a span; "" when it is off. Raises Refused, OSError."""
    if not all(re.fullmatch(r"[0-9]{1,19}", number, re.ASCII) for number in (from_ns, to_ns)):
        raise Refused("listing takes two moments in nanoseconds")
    return read_listing(holding.root, int(from_ns), int(to_ns)) if NAME in holding.held else ""


def answer(line: bytes | None, holding: Holding) -> dict[str, Any]:
    """The answer to one line, whatever it is."""
    number: int | None = None
    try:
        request = parse_request(line)
        number = request["id"]
        found = carry_out(request, holding)
    except Refused as refusal:
        found = {"ok": False, "message": str(refusal)}
    except OSError as error:
        found = {"ok": False, "message": f"{error.filename or holding.directory}: {error.strerror}"}
    found |= {"id": number, "marks": [asdict(mark) for mark in holding.marks], "notes": list(holding.notes)}
    holding.marks.clear()
    holding.notes.clear()
    return found


def serve(root: Path, directory: Path, notes: Iterable[str] = ()) -> int:
    """Answer until told to stop, then put everything back. Returns the exit status: 1 when something could not be put back.

    Args:
        root: "/" but for tests. Like ``directory`` it cannot be set from the command line: sudo would pass it on.
        directory: where the ledger is.
        notes: sentences for the first answer.
    """
    pipe = Pipe(0, 1)
    holding = Holding(root, directory, pipe.pause)
    holding.notes += notes
    outcome = Outcome(True, "")
    try:
        holding.acquire()
        for line in pipe.lines():
            reply = answer(line, holding)
            pipe.send(reply)
            if reply.get("end"):
                break
    finally:
        if holding.held:
            outcome = holding.restore_all()
        holding.close()
    if not outcome.ok:
        print(f"wlat: {outcome.message}; 'sudo wlat restore' tries again", file=sys.stderr)
    return 0 if outcome.ok else 1


def spare_from_oom() -> list[str]:
    """Ask the OOM killer to take anyone else first: who else would put min_free_kbytes back? Returns why not, if so."""
    try:
        Path("/proc/self/oom_score_adj").write_text("-900\n", encoding="ascii")
    except PermissionError:
        return []  # a container without CAP_SYS_RESOURCE; nothing the user could do, and the ledger covers this death too
    except OSError as error:
        return [f"the keeper could not be spared from the OOM killer: {error.strerror}"]
    return []


def main() -> int:
    """Entry point. Takes no argument, so that a sudoers line for it allows nothing else."""
    if os.geteuid() != 0:
        print("wlat: kernel settings may only be changed by root", file=sys.stderr)
        return 77
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            return 78  # a closed descriptor would be handed out again, and we would listen to ourselves for ever
    os.umask(0o077)
    os.chdir("/")
    return serve(Path("/"), LEDGER_DIRECTORY, spare_from_oom())


if __name__ == "__main__":
    sys.exit(main())
