"""wlat as a service of a real systemd: PID 1 of namespaces of its own, which sees no unit but ours."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.installation import Installation
from wlat_tui.sessions.recording import Recording
from wlat_tui.sessions.schema import SessionError

SYSTEMD = Path("/lib/systemd/systemd")
TARGETS = ("basic", "sysinit", "shutdown", "multi-user")
PATIENCE_S = 120.0
pytestmark = pytest.mark.root


@dataclass(frozen=True, slots=True)
class Service:
    """wlat.service, running under the systemd with this pid, with this as /var/lib."""

    systemd: int
    state: Path

    def control(self, *arguments: str, check: bool = True) -> str:
        """What ``systemctl`` prints."""
        inside = ["nsenter", "--target", str(self.systemd), "--mount", "--pid", "--uts", "--cgroup"]
        done = subprocess.run([*inside, "systemctl", *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    @property
    def files(self) -> list[Path]:
        """Its recordings, oldest first."""
        return sorted((self.state / "wlat").glob("*.wlat"))


@pytest.fixture
def service(wlat: Installation, target: Path, tmp_path: Path) -> Iterator[Service]:
    """The unit of ``wlat record --help``, started; only its program and the measured place are ours."""
    if not SYSTEMD.exists() or shutil.which("systemctl") is None:
        pytest.skip("no systemd here (Debian: apt-get install systemd)")
    told = subprocess.run([wlat.wlat, "record", "--help"], capture_output=True, text=True, check=True).stdout
    lines = [line.strip() for line in told.partition("[Service]")[2].partition("[Install]")[0].splitlines()]
    unit = "\n".join(lines).replace("/usr/local/bin/wlat", wlat.wlat).replace("/srv/log", str(target))
    assert str(target) in unit
    units = tmp_path / "units"
    units.mkdir()
    (units / "wlat.service").write_text(f"[Unit]\nDefaultDependencies=no\n[Service]\n{unit}\n")
    for name in TARGETS:
        wants = "Wants=wlat.service\n" if name == "multi-user" else ""
        (units / f"{name}.target").write_text(f"[Unit]\nDefaultDependencies=no\n{wants}")
    state = tmp_path / "state"
    state.mkdir()
    script = (
        "mount --make-rprivate / && mount -t tmpfs tmpfs /run &&"
        f" mount --bind {state} /var/lib &&"
        f" exec env -i PATH=/usr/bin:/bin container=other SYSTEMD_UNIT_PATH={units} {SYSTEMD} --system --unit=multi-user.target"
    )
    log = (tmp_path / "log").open("wb")
    outer = subprocess.Popen(
        ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--uts", "--cgroup", "--mount-proc", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    try:
        wait_for(lambda: outer.poll() is not None or children.read_text().strip())
        if outer.poll() is not None:
            pytest.skip(f"no namespaces for a systemd here: {(tmp_path / 'log').read_text().strip()}")
        started = Service(int(children.read_text()), state)
        wait_for(lambda: outer.poll() is not None or started.control("is-active", "wlat.service", check=False) == "active")
        if outer.poll() is not None:
            pytest.skip(f"systemd does not start here: {(tmp_path / 'log').read_text().strip()}")
        yield started
    finally:
        if pids := children.read_text().split() if outer.poll() is None else []:
            os.kill(int(pids[0]), signal.SIGKILL)  # with it goes all that is in its namespace
        outer.wait()
        log.close()


def test_as_a_systemd_service_it_records_survives_a_kill_and_closes_its_file_when_it_is_stopped(service: Service) -> None:
    wait_for(lambda: service.files)
    killed = service.files[0]
    wait_for(lambda: _frames(killed) > 5)
    service.control("kill", "--signal=KILL", "--kill-who=main", "wlat.service")
    wait_for(lambda: len(service.files) == 2 and service.control("is-active", "wlat.service", check=False) == "active")
    stopped = service.files[1]
    wait_for(lambda: _frames(stopped) > 5)
    service.control("stop", "wlat.service")
    assert service.control("show", "--property=Result", "--value", "wlat.service") == "success"
    assert not service.control("show", "--property=MainPID", "--value", "wlat.service").strip("0")
    with Recording(stopped) as recording:
        assert recording.facts["ended"]["reason"] == f"stopped by {signal.SIGTERM.name}"  # type: ignore[index]
        assert len(list(recording.frames())) > 5
    with Recording(killed) as recording:
        assert len(list(recording.frames())) > 5


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def _frames(path: Path) -> int:
    """So far; 0 as well while the file is only being made."""
    try:
        with Recording(path) as recording:
            return len(recording)
    except SessionError:
        return 0
