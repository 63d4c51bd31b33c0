"""Boot a real kernel with several memory nodes and run a script in it, under QEMU; no kernel of this machine is touched.

    guest = Guest(mem=("2G", "1G"), cpus=("0", "1"), fs="xfs", kernel="6.1")
    result = guest.run("numactl --hardware", timeout_s=120)

Software emulation, also where /dev/kvm exists: nested virtualisation was seen to hang and to abort.
Counters and placement are exact under it, times are not: compare order, never milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.numa.kernel import Unavailable, prepare, tool

DISTANCE = 21
"""Not the 20 that Linux assumes without a table, so that a test can tell the two apart."""
BOOTS = 3
"""Of one guest, before it is given up."""
BOOT_S = 200
"""Until the script begins: ten times what a busy machine was seen to need."""
SLOW_BYTES_S = 1 << 20
"""Like a network disk with a quota."""
UNITS = {"M": 1 << 20, "G": 1 << 30}


@dataclass(frozen=True, slots=True)
class Result:
    """What a script did in the guest."""

    status: int
    output: str
    """stdout and stderr of the script."""
    console: str
    """What the guest kernel printed."""

    def check(self) -> str:
        """The output of a script that must have succeeded.

        Raises:
            AssertionError: It ended with another status than 0.
        """
        assert self.status == 0, f"the guest's script ended with status {self.status}:\n{self.output}\n{self.console[-2000:]}"
        return self.output


@dataclass(frozen=True, slots=True)
class Guest:
    """A machine to be booted: one node per entry of ``mem``.

    Args:
        mem: Memory of each node, such as "2G" or "512M"; "0" makes a node without memory.
        cpus: CPUs of each node, such as "0" or "0-1"; "" makes a node without CPUs.
        distance: SLIT distance between any two nodes other than itself.
        fs: Filesystem on /data, "ext4" or "xfs".
        disk: Size of /data (sparse on this machine).
        kernel: Series of the Debian kernel, such as "6.1" or "6.12".
    """

    mem: tuple[str, ...] = ("2G", "1G")
    cpus: tuple[str, ...] = ("0", "1")
    distance: int = DISTANCE
    fs: str = "ext4"
    disk: str = "2G"
    kernel: str = "6.12"
    arguments: tuple[str, ...] = ()
    """More kernel command line."""
    env: Mapping[str, str] = field(default_factory=dict)
    room: str = ""
    """Slots and most memory, such as "slots=2,maxmem=4G": DIMMs can be plugged then."""
    max_cpus: int = 0
    """More than there are: the others can be plugged."""
    slow_disks: tuple[str, ...] = ()
    """Sizes of more disks, /dev/vdb on, that take `SLOW_BYTES_S` of writes each."""
    devices: tuple[str, ...] = ()
    """More arguments of QEMU."""
    asks: Mapping[str, tuple[Mapping[str, object], ...]] = field(default_factory=dict)
    """What a script may ask of the machine by making /job/ask-NAME: QMP commands; /job/done-NAME appears with the answers.

    Besides, a number of seconds in /job/stop stops the whole machine for so long, its clock running on, as a hypervisor
    does that has something better to do; the file is gone afterwards.
    """

    def unavailable(self) -> str | None:
        """Why it cannot be booted here, None when it can. The first call may download a kernel."""
        try:
            prepare(self.kernel)
        except Unavailable as reason:
            return str(reason)
        return None

    def run(self, script: str, timeout_s: float = 300, keep: Path | None = None, stop: threading.Event | None = None) -> Result:
        """Boot, run a bash script as root in the project's directory, power off.

        The guest sees this machine's files read-only (writes go to its own memory), /data on a disk of its own, and /job, where
        the script finds nothing but its own output. This Python and what is installed in its environment come first in PATH.
        A guest that does not finish its script is booted anew, twice at most: an emulated CPU spins now and then, or panics
        where the kernel patches its own code (static keys of tracepoints), probably a fault of the emulation.

        Args:
            keep: Where what the script put into /job/out is copied; must not exist.
            stop: Ends the guest when set.

        Raises:
            Unavailable: No guest can be booted here.
            AssertionError: The guest did not finish the script in time; the message has what it had printed so far.
        """
        for _ in range(BOOTS):
            result = self._boot(script, timeout_s, keep, stop)
            if isinstance(result, Result) or (stop is not None and stop.is_set()):
                break
        assert isinstance(result, Result), result
        return result

    def _boot(self, script: str, timeout_s: float, keep: Path | None, stop: threading.Event | None) -> Result | str:
        """What the script did, or how far the guest came."""
        kernel = prepare(self.kernel)
        with tempfile.TemporaryDirectory(prefix="wlat-guest-") as directory:
            job = Path(directory)
            (job / "environment").write_text(f"GUEST_FS={self.fs}\n")
            (job / "script").write_text(self._preamble() + script + "\n")
            for name, size in (("disk", self.disk), *((f"slow{i}", size) for i, size in enumerate(self.slow_disks))):
                with (job / name).open("wb") as disk:
                    disk.truncate(_bytes(size))
            command = self._qemu(job, kernel.image, kernel.initramfs)
            console = job / "console"
            with console.open("wb") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
                try:
                    late = _wait(process, job, self.asks, timeout_s, stop)
                finally:
                    process.kill()
                    process.wait()
            output, status = _text(job / "output"), _text(job / "status")
            if not status:
                return f"the guest did not finish its script{late}:\n{output[-4000:]}\n-- console:\n{_text(console)[-4000:]}"
            if keep is not None and (job / "out").exists():
                shutil.copytree(job / "out", keep)
            return Result(int(status), output, _text(console))

    def _preamble(self) -> str:
        bin_directory = Path(sys.prefix) / "bin"
        env = {
            "PATH": f"{bin_directory}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            **self.env,
        }
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in env.items())
        return f"{exports}cd {shlex.quote(str(Path(__file__).parents[2]))}\n"

    def _qemu(self, job: Path, image: Path, initramfs: Path) -> list[str | Path]:
        total = sum(map(_bytes, self.mem))
        count = max(int(cpus.rpartition("-")[2]) for cpus in self.cpus if cpus) + 1
        most = max(count, self.max_cpus)
        nodes: list[str] = []
        for node, (mem, cpus) in enumerate(zip(self.mem, self.cpus, strict=True)):
            place = f"node,nodeid={node}" + (f",cpus={cpus}" if cpus else "")
            if _bytes(mem):
                nodes += ["-object", f"memory-backend-ram,size={_bytes(mem)},id=mem{node}"]
                place += f",memdev=mem{node}"
            nodes += ["-numa", place]
        pairs = [(a, b) for a in range(len(self.mem)) for b in range(len(self.mem)) if a != b]
        for a, b in pairs:
            nodes += ["-numa", f"dist,src={a},dst={b},val={self.distance}"]
        slow: list[str] = []
        for i in range(len(self.slow_disks)):
            quota = f"throttling.bps-write={SLOW_BYTES_S}"
            slow += ["-drive", f"file={job / f'slow{i}'},if=virtio,format=raw,cache=unsafe,{quota}"]
        # panic=-1 with -no-reboot: a crash ends the run instead of hanging it
        append = " ".join(("console=ttyS0 quiet panic=-1 mitigations=off", *self.arguments))
        return [
            # a killed test run must not leave its guest behind
            "setpriv", "--pdeathsig", "KILL", "--", tool("qemu-system-x86_64"),
            "-accel", "tcg,thread=multi", "-cpu", "max",
            "-m", ",".join(filter(None, (f"{total >> 20}M", self.room))),
            # a socket each: CPUs of one package on several nodes is nothing that a machine has
            "-smp", f"{count},sockets={most},cores=1,threads=1,maxcpus={most}", *nodes, *self.devices,
            "-qmp", f"unix:{job / 'qmp'},server=on,wait=off",
            "-kernel", image, "-initrd", initramfs, "-append", append,
            "-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap",
            "-virtfs", f"local,path={job},mount_tag=job,security_model=none",
            "-drive", f"file={job / 'disk'},if=virtio,format=raw,cache=unsafe", *slow,
            "-device", "virtio-rng-pci", "-nographic", "-no-reboot", "-nic", "none",
        ]  # fmt: skip


def _wait(
    process: subprocess.Popen[bytes],
    job: Path,
    asks: Mapping[str, tuple[Mapping[str, object], ...]],
    timeout_s: float,
    stop: threading.Event | None,
) -> str:
    """Wait for the end of a guest, doing what it asks; what to add to the sentence when it did not end by itself."""
    output = job / "output"
    began = time.monotonic()
    while (lasted := time.monotonic() - began) < timeout_s:
        if lasted > BOOT_S and not output.exists():
            return f", nor begin it within {BOOT_S} s"
        for name, commands in asks.items():
            if (job / f"ask-{name}").exists() and not (job / f"done-{name}").exists():
                (job / f"done-{name}").write_text(_qmp(job / "qmp", commands))
        if seconds := _text(job / "stop"):
            _stop(process, float(seconds))
            (job / "stop").unlink()
        if stop is not None and stop.is_set():
            return " before the tests ended"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
            return ""
    return f" within {timeout_s:.0f} s"


def _stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """A stopped QEMU goes on with the time that it is then; its own monitor would stop its clock, too."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)


def _qmp(path: Path, commands: tuple[Mapping[str, object], ...]) -> str:
    """QEMU's answers, a line each. Source: docs/interop/qmp-spec.rst."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(path))
        stream = line.makefile("rw")
        answers = [stream.readline()]
        for command in ({"execute": "qmp_capabilities"}, *commands):
            stream.write(json.dumps(command) + "\n")
            stream.flush()
            while '"event"' in (answer := stream.readline()):
                pass
            answers.append(answer)
        return "".join(answers)


def _bytes(size: str) -> int:
    return int(size[:-1]) * UNITS[size[-1]] if size[-1] in UNITS else int(size)


def _text(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return path.read_text(errors="replace").replace("\r", "")
    return ""
