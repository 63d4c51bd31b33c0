"""`wlat --sudo` as an ordinary user: root for exactly what needs it, all put back, and a plain word when sudo refuses."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.e2e.host import RECLAIM, Family, family, kill, strays
from tests.e2e.installation import Installation
from tests.e2e.screen import reclaim_locally
from tests.e2e.terminal import WAIT_S, Terminal, eventually, read_text
from tests.e2e.test_session import FIGURE

pytestmark = pytest.mark.root
SUDOERS = Path("/etc/sudoers.d")
CAP_IPC_LOCK, CAP_SYS_NICE, CAP_SYS_RESOURCE, CAP_PERFMON = 14, 23, 24, 38  # linux/capability.h
ENGINE_NEEDS = {CAP_IPC_LOCK, CAP_SYS_NICE, CAP_PERFMON}


@dataclass(frozen=True, slots=True)
class Account:
    """A user made for these tests, and the one file that says what sudo allows them."""

    name: str
    password: str
    sudoers: Path

    @property
    def uid(self) -> int:
        return pwd.getpwnam(self.name).pw_uid

    def allow(self, *lines: str) -> None:
        """Replace what sudo allows; visudo must accept it, as it does before an administrator's change."""
        # sudo skips names with a dot in them, so nobody reads the file before it is whole
        draft = self.sudoers.with_suffix(".new")
        draft.write_text("".join(f"{line}\n" for line in lines))
        draft.chmod(0o440)
        subprocess.run(["visudo", "-cqf", draft], check=True)
        draft.replace(self.sudoers)


@pytest.fixture(scope="module")
def account(wlat: Installation) -> Iterator[Account]:
    """A user with a password and a home."""
    missing = [tool for tool in ("sudo", "visudo", "useradd", "userdel", "chpasswd") if shutil.which(tool) is None]
    if missing or not SUDOERS.is_dir():
        pytest.skip(f"needs {missing or SUDOERS} (Debian: apt-get install sudo)")
    if not wlat.for_everyone:
        pytest.skip("no Python here that users other than root can run (Debian: apt-get install python3-venv python3-dev)")
    name = f"wlat-{secrets.token_hex(3)}"
    made = Account(name, secrets.token_hex(8), SUDOERS / name)
    try:
        subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
        subprocess.run(["chpasswd"], input=f"{name}:{made.password}\n", text=True, check=True)
        yield made
    finally:
        made.sudoers.unlink(missing_ok=True)
        made.sudoers.with_suffix(".new").unlink(missing_ok=True)
        subprocess.run(["userdel", "--remove", name], check=True, capture_output=True)
        Path("/var/lib/sudo/lectured", name).unlink(missing_ok=True)


@pytest.fixture
def place(account: Account, target: Path) -> Path:
    """``target``, owned by the user."""
    shutil.chown(target, account.name)
    return target


@pytest.fixture
def granted(account: Account, wlat: Installation, real_knobs: Mapping[Path, str]) -> Mapping[Path, str]:
    """The user may do what `wlat sudoers` prints, no more. Returns this host's settings."""
    account.allow(*sudoers_lines(account, wlat))
    return real_knobs


def as_user(account: Account, wlat: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of wlat, run by the user."""
    env = {"HOME": f"/home/{account.name}", "PATH": os.environ["PATH"]}
    command = [wlat.wlat, *arguments]
    return subprocess.run(command, user=account.name, env=env, cwd="/", capture_output=True, text=True, check=False)


def sudoers_lines(account: Account, wlat: Installation) -> list[str]:
    """What wlat prints for the user who runs it."""
    done = as_user(account, wlat, "sudoers")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def started(terminal: Terminal) -> tuple[Family, dict[str, psutil.Process]]:
    """The family once the screen shows figures and zone_reclaim_mode was switched; and the sudo in front of each process."""
    terminal.wait_for(FIGURE)
    reclaim_locally(terminal)
    running = family(terminal)
    fronts = {"engine": running.engine.parents(), "keeper": running.keeper.parents() if running.keeper else []}
    return running, {role: next(p for p in parents if p.name() == "sudo") for role, parents in fronts.items()}


def status(process: psutil.Process | Path) -> dict[str, str]:
    """/proc/PID/status of a process, or of one thread by its directory."""
    directory = process if isinstance(process, Path) else Path(f"/proc/{process.pid}")
    lines = (directory / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def capabilities(process: psutil.Process | Path, which: str) -> set[int]:
    mask = int(status(process)[which], 16)
    return {bit for bit in range(64) if mask >> bit & 1}


def test_each_process_has_the_privileges_it_needs_and_no_others(
    wlat: Installation, account: Account, place: Path, granted: Mapping[Path, str]
) -> None:
    with Terminal([wlat.wlat, "--sudo"], cwd=place, user=account.name) as terminal:
        running, _ = started(terminal)
        assert running.keeper is not None
        assert status(running.screen)["Uid"].split() == [str(account.uid)] * 4
        assert capabilities(running.screen, "CapPrm") == set()
        assert status(running.engine)["Uid"].split() == [str(account.uid)] * 4
        assert status(running.engine)["Gid"].split() == [str(pwd.getpwnam(account.name).pw_gid)] * 4
        for thread in Path(f"/proc/{running.engine.pid}/task").iterdir():
            assert capabilities(thread, "CapEff") == ENGINE_NEEDS, (thread / "comm").read_text()
            assert capabilities(thread, "CapPrm") - ENGINE_NEEDS <= {CAP_SYS_RESOURCE}, "it is for raising limits only"
        assert status(running.engine)["NoNewPrivs"] == "1"
        assert status(running.keeper)["Uid"].split() == ["0"] * 4
        terminal.press("q")
        assert terminal.wait() == 0, terminal.dump()
        assert terminal.left_on() == []
        assert read_text(RECLAIM) == granted[RECLAIM], "put back before the screen ended"
        running.wait_gone()
    assert strays(wlat.prefix) == []


VICTIMS: dict[str, Callable[[Family, dict[str, psutil.Process]], psutil.Process]] = {
    "screen": lambda running, _: running.screen,
    "sudo of the keeper": lambda _, sudo: sudo["keeper"],
    "sudo of the engine": lambda _, sudo: sudo["engine"],
}


@pytest.mark.parametrize("defaults", ["!use_pty", "use_pty"])
@pytest.mark.parametrize("victim", VICTIMS)
def test_whatever_is_killed_everything_is_put_back(
    wlat: Installation, account: Account, place: Path, granted: Mapping[Path, str], victim: str, defaults: str
) -> None:
    """With use_pty (sudo's own default since 1.9.14) a killed sudo takes its command along; without, the command lives on."""
    account.allow(f"Defaults:{account.name} {defaults}", *sudoers_lines(account, wlat))
    with Terminal([wlat.wlat, "--sudo"], cwd=place, user=account.name) as terminal:
        running, fronts = started(terminal)
        kill(VICTIMS[victim](running, fronts))
        if victim != "screen":
            terminal.press("q")
        assert terminal.wait() == (-signal.SIGKILL if victim == "screen" else 0), terminal.dump()
        running.wait_gone()
        eventually(lambda: read_text(RECLAIM) == granted[RECLAIM], "zone_reclaim_mode is put back")
    eventually(lambda: not strays(wlat.prefix), "nothing runs on")


def test_a_lost_terminal_puts_everything_back(
    wlat: Installation, account: Account, place: Path, granted: Mapping[Path, str]
) -> None:
    with Terminal([wlat.wlat, "--sudo"], cwd=place, user=account.name) as terminal:
        running, _ = started(terminal)
        terminal.hang_up()
        assert terminal.wait() >= 0
        running.wait_gone()
        assert read_text(RECLAIM) == granted[RECLAIM]


def test_the_password_typed_just_before_is_enough(
    wlat: Installation, account: Account, place: Path, real_knobs: Mapping[Path, str]
) -> None:
    """What the dialogs and `wlat doctor` recommend: sudo -v && wlat --sudo. sudo remembers it for this terminal and session."""
    account.allow(f"{account.name} ALL=(root) ALL")
    with Terminal(["sh", "-c", f"sudo -v && exec {wlat.wlat} --sudo"], cwd=place, user=account.name) as terminal:
        terminal.wait_for(re.compile("password", re.I))
        terminal.send(f"{account.password}\r")
        running, _ = started(terminal)
        terminal.press("q")
        assert terminal.wait() == 0
        running.wait_gone()
    assert read_text(RECLAIM) == real_knobs[RECLAIM]


def test_without_the_password_the_screen_says_so_and_measures_without_root(
    wlat: Installation, account: Account, place: Path, real_knobs: Mapping[Path, str]
) -> None:
    account.allow(f"{account.name} ALL=(root) ALL")
    with Terminal([wlat.wlat, "--sudo"], cwd=place, user=account.name) as terminal:
        terminal.wait_for("sudo asks for a password: wlat goes on without root")
        terminal.wait_for(FIGURE)
        running = family(terminal, with_keeper=False)
        assert status(running.engine)["Uid"].split() == [str(account.uid)] * 4
        assert capabilities(running.engine, "CapPrm") == set()
        shown = what_is_said_about_reclaim(terminal)
        assert "sudo asks for a password" in shown
        assert f"sudo -v && {wlat.wlat} --sudo" in unwrapped(shown)
        terminal.press("esc", "q")
        assert terminal.wait() == 0
        running.wait_gone()
    assert read_text(RECLAIM) == real_knobs[RECLAIM]


def test_without_sudo_every_setting_says_why_and_the_exact_command(
    wlat: Installation, account: Account, place: Path, real_knobs: Mapping[Path, str]
) -> None:
    with Terminal([wlat.wlat], cwd=place, user=account.name) as terminal:
        terminal.wait_for("only root may change kernel settings")
        shown = what_is_said_about_reclaim(terminal)
        assert "only root may change kernel settings" in shown
        assert f"sudo {wlat.wlat}" in unwrapped(shown)
        terminal.press("esc", "q")
        assert terminal.wait() == 0
    assert read_text(RECLAIM) == real_knobs[RECLAIM]


def test_doctor_knows_whether_the_lines_are_in_place(wlat: Installation, account: Account, place: Path) -> None:
    def said() -> str:
        done = as_user(account, wlat, "doctor", "--dir", str(place))
        assert done.stderr == ""
        return " ".join(done.stdout.split())

    account.allow(f"{account.name} ALL=(root) ALL")
    assert f"{wlat.wlat} sudoers | sudo tee /etc/sudoers.d/wlat" in said()
    account.allow(*sudoers_lines(account, wlat))
    assert "sudo works without a password: use --sudo" in said()


def test_no_line_is_printed_for_an_installation_that_others_can_change(wlat: Installation, account: Account) -> None:
    """Whoever can change what root runs is root."""
    package = next(wlat.prefix.glob("lib/python*/site-packages/wlat_tui"))
    shutil.chown(package, account.name)
    try:
        done = subprocess.run([wlat.wlat, "sudoers", "--user", account.name], capture_output=True, text=True, check=False)
    finally:
        shutil.chown(package, "root")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{package} can be changed by others than root" in done.stderr


def what_is_said_about_reclaim(terminal: Terminal) -> str:
    """The dialog of zone_reclaim_mode where it cannot be applied."""
    from wlat_tui.mitigations import catalogue

    names = [mitigation.name for mitigation in catalogue()]
    terminal.press("3", "g", *["down"] * names.index("zone_reclaim_mode"), "enter")
    return terminal.wait_for("To make it available", WAIT_S)


def unwrapped(screen: str) -> str:
    """A dialog's text with the line breaks and borders taken out, so that a long command is whole."""
    return re.sub(r"\s+", " ", re.sub(r"[^\x20-\x7e]", " ", screen))
