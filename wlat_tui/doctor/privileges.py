"""Who wlat is here and what the kernel lets it do: root, capabilities, limits, real-time scheduling."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
from pathlib import Path

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.keeper_client import keeper_command, wlat_path
from wlat_tui.kernel.cgroup import read_cgroups
from wlat_tui.kernel.files import read_line, read_text
from wlat_tui.kernel.sysctl import read_sysctl
from wlat_tui.sudo import SUDO
from wlat_tui.units import format_bytes

CAPABILITIES = {"SYS_NICE": 23, "IPC_LOCK": 14, "SYS_ADMIN": 21, "PERFMON": 38}
"""What each is for: FIFO and other tasks' affinity; locking memory; settings and tracefs; kernel stacks. PERFMON: since 5.8."""
FIFO_PRIORITY = 50
MEMLOCK_BYTES = 64 << 20
SUDO_SECONDS = 5


def privilege(subject: Subject) -> Finding:
    why = "Changing kernel settings, tracing and SCHED_FIFO need root; measuring write() and reading watermarks do not."
    if not subject.live or os.geteuid() == 0:
        return Finding("privilege", State.OK, "root" if subject.live else "not tried on a copied tree", why)
    if _sudo_works():
        return Finding("privilege", State.OK, "ordinary user; sudo works without a password: use --sudo", why, "wlat --sudo")
    here = "ordinary user; sudo asks for a password or is not there"
    fix = f"sudo -v && {wlat_path()} --sudo  # or for good: {wlat_path()} sudoers | sudo tee /etc/sudoers.d/wlat"
    return Finding("privilege", State.DEGRADED, here, why, fix)


def _sudo_works() -> bool:
    """Whether sudo runs anything, or the keeper as `wlat sudoers` allows it, without a password. Runs nothing but true."""
    if shutil.which("sudo") is None:
        return False
    return any(_succeeds([*SUDO[:-1], *what]) for what in (("true",), ("-l", "--", *keeper_command())))


def _succeeds(command: list[str]) -> bool:
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=SUDO_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False  # an unreachable directory service: as good as a refusal
    return done.returncode == 0


def effective_capabilities(root: Path) -> int | None:
    """Bits of CapEff. Source: /proc/self/status."""
    for line in (read_text(root / "proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return None


def has_capability(root: Path, *names: str) -> bool:
    """Whether any of them is effective."""
    bits = effective_capabilities(root) or 0
    return any(bits >> CAPABILITIES[name] & 1 for name in names)


def capabilities(subject: Subject) -> Finding:
    why = "SYS_NICE allows FIFO, IPC_LOCK locked memory, SYS_ADMIN settings, PERFMON (since 5.8) kernel stacks of a stall."
    bits = effective_capabilities(subject.root)
    if bits is None:
        return Finding("capabilities", State.MISSING, "n/a: /proc/self/status has no CapEff", why)
    lacking = [name for name, bit in CAPABILITIES.items() if not bits >> bit & 1]
    if not lacking:
        return Finding("capabilities", State.OK, ", ".join(CAPABILITIES), why)
    fix = "wlat --sudo"
    if subject.live and os.geteuid() == 0:  # root without them is a container's root
        fix = "docker run " + " ".join(f"--cap-add {name}" for name in lacking)
    return Finding("capabilities", State.DEGRADED, f"without {', '.join(lacking)}", why, fix)


def rtprio(subject: Subject) -> Finding:
    why = "It is how high an ordinary user may set SCHED_FIFO; CAP_SYS_NICE needs no limit."
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    here = "unlimited" if limit == resource.RLIM_INFINITY else str(limit)
    if has_capability(subject.root, "SYS_NICE"):
        return Finding("real-time limit", State.OK, f"{here}; CAP_SYS_NICE does not need it", why)
    if limit == resource.RLIM_INFINITY or limit >= FIFO_PRIORITY:
        return Finding("real-time limit", State.OK, here, why)
    fix = f'echo "$USER - rtprio {FIFO_PRIORITY}" | sudo tee /etc/security/limits.d/wlat.conf'
    return Finding("real-time limit", State.DEGRADED, f"RLIMIT_RTPRIO is {here}", why, f"{fix}  # then log in again")


def memlock(subject: Subject) -> Finding:
    why = "The writer locks its own memory, so that a page fault of its own is never taken for a slow write()."
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    here = "unlimited" if limit == resource.RLIM_INFINITY else format_bytes(limit)
    if has_capability(subject.root, "IPC_LOCK"):
        return Finding("locked memory", State.OK, f"{here}; CAP_IPC_LOCK does not need it", why)
    if limit == resource.RLIM_INFINITY or limit >= MEMLOCK_BYTES:
        return Finding("locked memory", State.OK, here, why)
    fix = f'echo "$USER - memlock {MEMLOCK_BYTES >> 10}" | sudo tee /etc/security/limits.d/wlat-memlock.conf'
    return Finding("locked memory", State.DEGRADED, f"RLIMIT_MEMLOCK is {here}", why, f"{fix}  # then log in again")


def fifo(subject: Subject) -> Finding:
    why = "A FIFO writer is not preempted, and may use the kernel's reserve below min: a mitigation that flatters the result."
    if not subject.live:
        return Finding("SCHED_FIFO", State.OK, "not tried on a copied tree", why)
    refused = _try_fifo()
    if refused == 0:
        return Finding("SCHED_FIFO", State.OK, "allowed (tried)", why)
    here = f"refused (tried): {os.strerror(refused)}"
    if refused == errno.EPERM and has_capability(subject.root, "SYS_NICE"):
        group = _rt_group_file(subject.root)
        # CONFIG_RT_GROUP_SCHED: a new group gets no real-time budget, so even root is refused
        here = "refused although root: this cgroup has no real-time budget (CONFIG_RT_GROUP_SCHED)"
        fix = (
            f"echo 100000 | sudo tee {group}" if group else "echo $$ | sudo tee /sys/fs/cgroup/cgroup.procs  # leave the group"
        )
        return Finding("SCHED_FIFO", State.MISSING, here, why, fix)
    return Finding("SCHED_FIFO", State.DEGRADED, here, why, "wlat --sudo --fifo 10")


def _try_fifo() -> int:
    """Whether a child may become FIFO: 0 or an errno. A child, because doctor itself must stay as it is."""
    pid = os.fork()
    if pid == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError as error:
            os._exit(error.errno or errno.EINVAL)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _rt_group_file(root: Path) -> Path | None:
    """cpu.rt_runtime_us of our own group (cgroup v1 only), when it is 0."""
    for controllers, group in read_cgroups(root).items():
        if "cpu" in controllers.split(","):
            for mount in (controllers, "cpu"):
                path = root / "sys/fs/cgroup" / mount / group.lstrip("/") / "cpu.rt_runtime_us"
                if read_line(path) == "0":
                    return path
    return None


def rt_throttling(subject: Subject) -> Finding:
    why = "A real-time task that spins is stopped for the rest of each period (50 ms per s by default): a stall."
    runtime = read_sysctl("kernel.sched_rt_runtime_us", subject.root)
    period = read_sysctl("kernel.sched_rt_period_us", subject.root)
    if runtime is None or period is None:
        return Finding("RT throttling", State.MISSING, "n/a: this kernel has no sched_rt_runtime_us", why)
    if int(runtime) < 0:
        danger = "Off: a real-time task that never sleeps then hangs its CPU, and with it the kernel threads writes wait for."
        return Finding("RT throttling", State.HAZARD, "off", danger, "sudo sysctl kernel.sched_rt_runtime_us=950000")
    here = f"at {int(runtime) / 1000:g} ms of every {int(period) / 1000:g} ms; only spin mode with FIFO meets it"
    return Finding("RT throttling", State.OK, here, why)
