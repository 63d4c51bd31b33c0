"""The terminal: sends only what changed, never more than it takes, and always gives it back as it was.

Textual's own driver queues whole frames to a thread and blocks the event loop once 30 are waiting; on a 5 KB/s link that stalls
keys for seconds. Here the terminal's wanted state is compared with what it shows, and the next difference is computed only
when the last one was taken. Nothing ever queues up, and the loop never waits for the terminal.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Any

from textual import events
from textual._xterm_parser import XTermParser
from textual.constants import ESCAPE_DELAY
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Size

from wlat_tui.cast import Cast
from wlat_tui.renderables.glyphs import to_ascii
from wlat_tui.renderables.picture import Picture

if TYPE_CHECKING:
    from textual.app import App
    from textual.message import Message

_ASK_POSITION = "\x1b[6n"
_CANCEL = b"\x18\x1b[0m"
"""CAN ends an escape sequence that was cut in the middle (ECMA-48)."""
_ALT_SCREEN = "\x1b[?1049h"
_LEAVE_S = 0.5
_ANSWER_LOST_S = 10.0
_SLOW_S = 0.75
_SLOW_FRAMES = 3
_STUCK_S = 4.0
_LOOK_MS = 100
_UNASKED_BYTES = 1_000
"""At most so much is sent before the terminal is asked whether it has it: 50 ms of a 20 KB/s link."""
_UNASKED_S = 1.0


class TerminalDriver(LinuxDriver):
    """A Linux terminal that counts what it is sent and knows whether that was taken.

    "Taken" means that the terminal itself answered a cursor position request sent behind the output, because an SSH connection
    buffers megabytes: that the kernel took the bytes says nothing. Terminals that never answer are judged by the kernel alone.
    """

    def __init__(self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self.sent_bytes = 0
        """Bytes that the terminal device accepted since the start."""
        self.slow_frames = 0
        """Frames in a row that took longer than 0.75 s to be taken."""
        self.vanished = False
        """The terminal is gone: nothing can be written any more."""
        self.cast: Cast | None = None
        """Records what the terminal was sent."""
        self.ascii_only = False
        """The terminal is not UTF-8: whatever a widget or a host name brings, only ASCII is sent."""
        self._picture = Picture()
        self._controls = ""
        self._pending = b""
        self._frame_since = 0.0
        self._asked_since: float | None = None
        self._last_asked = 0.0
        self._unasked_bytes = 0
        self._answers = False
        self._muted = False
        self._watching = False
        self._pump_planned = False
        self._loop_thread = threading.get_ident()
        self._out, self._out_blocks = _open_terminal(_screen_descriptor())
        self._wake_read, self._wake_write = os.pipe()
        self._hangup = select.epoll()
        self._watch_hangup()

    @property
    def busy(self) -> bool:
        """True while the terminal has not taken the last frame; drawing now would be wasted."""
        if self.vanished or self._pending:
            return True
        if self._asked_since is None or not self._answers:
            return False
        if time.monotonic() - self._asked_since > _ANSWER_LOST_S:
            self._answers = False  # it answered before and stopped: do not wait for ever
        return self._answers

    @property
    def slow(self) -> bool:
        """True when the link is too slow for what it is sent: three frames in a row were taken late, or one not for seconds."""
        return self.slow_frames >= _SLOW_FRAMES or (self.busy and time.monotonic() - self._frame_since > _STUCK_S)

    @property
    def late(self) -> bool:
        """True when the last frame, or the one on its way, is taken late."""
        return self.slow_frames > 0 or (self.busy and time.monotonic() - self._frame_since > _SLOW_S)

    def resized(self, width: int, height: int) -> None:
        """The terminal has another size: its content is unknown."""
        self._picture.resize(width, height)
        if self.cast is not None:
            self.cast.begin(width, height)
            self.cast.resize(width, height)

    async def settle(self, timeout_s: float) -> None:
        """Stop drawing and wait a little until the terminal has answered, so that no answer lands on the shell's prompt."""
        self._muted = True
        deadline = time.monotonic() + timeout_s
        while self._asked_since is not None and self._answers and not self.vanished and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def write(self, data: str) -> None:
        if threading.get_ident() != self._loop_thread:
            self._loop.call_soon_threadsafe(self.write, data)
            return
        self._controls += self._picture.feed(to_ascii(data) if self.ascii_only else data)
        if _ALT_SCREEN in data:
            self._picture.forget()
        if not self._pump_planned and not self._muted:
            self._pump_planned = True
            self._loop.call_soon(self._pump)

    def start_application_mode(self) -> None:
        self._muted = False
        before = self._get_terminal_size()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        # Textual reads the size inside the signal's handler, which the next signal interrupts: the older size is told last
        self._loop.add_signal_handler(signal.SIGWINCH, self._tell_size)
        if self._get_terminal_size() != before:
            self._tell_size()

    def _tell_size(self) -> None:
        if not self._in_band_window_resize:
            size = Size(*self._get_terminal_size())
            self._app.post_message(events.Resize(size, size))

    def stop_application_mode(self) -> None:
        """Give the terminal back. Bounded in time even when it takes nothing."""
        self._muted = True
        self._stop_watching()
        cut = bool(self._pending)
        self._pending = b""
        self._controls = ""
        super().stop_application_mode()
        restore = (_CANCEL if cut else b"") + self._controls.encode()
        self._controls = ""
        self._send_within(restore, _LEAVE_S, cut=cut)

    def disable_input(self) -> None:
        os.write(self._wake_write, b"x")
        super().disable_input()

    def close(self) -> None:
        super().close()
        self._stop_watching()
        if self._hangup.closed:
            return
        self._loop.remove_reader(self._hangup.fileno())
        self._hangup.close()
        os.close(self._wake_read)
        os.close(self._wake_write)
        if not self._out_blocks:
            os.close(self._out)

    def process_message(self, message: Message) -> None:
        # runs in the input thread
        if isinstance(message, events.CursorPosition):
            self._loop.call_soon_threadsafe(self._answered)
            return
        super().process_message(message)

    def run_input_thread(self) -> None:
        """Read keys until told to stop, without polling, and survive a terminal that goes away."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        ready = select.poll()
        ready.register(self.fileno, select.POLLIN)
        ready.register(self._wake_read, select.POLLIN)
        looks = 0
        """How often more a key that began like a longer one is asked whether its time is up."""
        while not self.exit_event.is_set():
            found = [fd for fd, _ in ready.poll(_LOOK_MS if looks else None)]
            looks = max(0, looks - 1)
            if self._wake_read in found:
                os.read(self._wake_read, 64)
                break
            if self.fileno in found:
                try:
                    data = os.read(self.fileno, 4096)
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    data = b""
                if not data:
                    self._loop.call_soon_threadsafe(self._gone)
                    return
                looks = 2 + round(1000 * ESCAPE_DELAY) // _LOOK_MS
                for event in parser.feed(decode(data)):
                    self.process_message(event)
            for event in parser.tick():
                self.process_message(event)

    def _pump(self) -> None:
        """Send the next difference if the last one was taken."""
        self._pump_planned = False
        if self._muted or self._pending or self.vanished:
            return
        output, self._controls = self._controls, ""
        waiting = self.busy
        if not waiting and (changes := self._picture.take_changes()):
            self._frame_since = time.monotonic()
            output += changes
            self._unasked_bytes += len(output)
            if self._asked_since is None and self._worth_asking():
                # row 2, because an answer naming row 1 reads like the key F3
                output += f"\x1b[2;1H{_ASK_POSITION}"
                self._asked_since = self._last_asked = self._frame_since
                self._unasked_bytes = 0
        self._pending = output.encode()
        self._push()

    def _worth_asking(self) -> bool:
        """An answer costs as much as a small frame: on a link that keeps up, small ones share one."""
        if not self._answers or self.slow_frames:
            return True
        return self._unasked_bytes >= _UNASKED_BYTES or self._frame_since - self._last_asked >= _UNASKED_S

    def _push(self) -> None:
        """Hand the kernel as much of the pending output as it takes now."""
        try:
            while self._pending:
                if self._out_blocks and not select.select([], [self._out], [], 0)[1]:
                    break
                sent = os.write(self._out, self._pending[:256] if self._out_blocks else self._pending)
                self.sent_bytes += sent
                if self.cast is not None:
                    self.cast.output(self._pending[:sent])
                self._pending = self._pending[sent:]
        except BlockingIOError:
            pass  # expected on a slow link: the rest follows when the kernel has room
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EPIPE, errno.ENXIO):
                raise
            self._gone()
            return
        if self._pending:
            if not self._watching:
                self._watching = True
                self._loop.add_writer(self._out, self._push)
            return
        self._stop_watching()
        if not self._answers:
            self._taken()

    def _answered(self) -> None:
        self._answers = True
        self._asked_since = None
        self._taken()

    def _taken(self) -> None:
        late = time.monotonic() - self._frame_since > _SLOW_S
        self.slow_frames = self.slow_frames + 1 if late else 0
        if self._picture.changed and not self._pump_planned and not self._muted:
            self._pump_planned = True
            self._loop.call_soon(self._pump)

    def _stop_watching(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_writer(self._out)

    def _watch_hangup(self) -> None:
        # an epoll with no events asked still reports EPOLLHUP; inside the loop's own epoll it becomes readable then
        try:
            self._hangup.register(self._out, 0)
        except PermissionError:
            return  # not a terminal but a file: it cannot hang up
        self._loop.add_reader(self._hangup.fileno(), self._gone)

    def _gone(self) -> None:
        if self.vanished:
            return
        self.vanished = True
        self._pending = b""
        self._stop_watching()
        if not self._hangup.closed:
            self._loop.remove_reader(self._hangup.fileno())
        self._app.post_message(TerminalGone())

    def _send_within(self, data: bytes, seconds: float, *, cut: bool) -> None:
        """Send the last bytes. ``cut``: output was abandoned half-way, so what the kernel still holds need not arrive."""
        deadline = time.monotonic() + seconds
        ready = select.poll()
        ready.register(self._out, select.POLLOUT)
        flushed = False
        try:
            while data and not self.vanished:
                wait_s = 0.0 if cut and not flushed else max(0.0, deadline - time.monotonic())
                if not ready.poll(wait_s * 1000):
                    if flushed:
                        return  # it takes nothing at all: leaving matters more
                    # throwing away what the terminal has not read yet makes room for the restoring
                    termios.tcflush(self._out, termios.TCOFLUSH)
                    flushed, deadline = True, time.monotonic() + seconds
                    continue
                sent = os.write(self._out, data[:256])
                self.sent_bytes += sent
                if self.cast is not None:
                    self.cast.output(data[:sent])
                data = data[sent:]
        except BlockingIOError:
            return  # room was promised and taken by somebody else on a terminal that is not read
        except (OSError, termios.error):
            return  # the terminal is gone: nothing is left to restore


class TerminalGone(events.Event, bubble=False):
    """The terminal hung up."""


def _screen_descriptor() -> int:
    """The descriptor that is the screen: stdout, or another one where that is redirected (``wlat 2>log`` must still draw)."""
    for stream in (sys.__stdout__, sys.__stderr__, sys.__stdin__):
        if stream is not None and stream.isatty():
            return stream.fileno()
    raise OSError(errno.ENOTTY, "there is no terminal to draw on")


def _open_terminal(fd: int) -> tuple[int, bool]:
    """Return a descriptor for the same terminal and whether writing to it may block.

    O_NONBLOCK belongs to the open file description, which the shell shares with us: it must not be set on ``fd`` itself, so the
    terminal is opened once more. After ``su`` it belongs to another user and only /dev/tty may be opened.
    """
    for path in (f"/proc/self/fd/{fd}", "/dev/tty"):
        try:
            again = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except OSError:
            continue  # the next way, and at last the descriptor we have
        return again, False
    return fd, True
