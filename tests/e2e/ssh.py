"""A real sshd on loopback with keys and a port of its own: nothing of this host's ssh configuration is used or changed."""

from __future__ import annotations

import shlex
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

from tests.e2e.terminal import Terminal, eventually

CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {directory}/host_key
AuthorizedKeysFile {directory}/client_key.pub
PidFile {directory}/sshd.pid
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PrintMotd no
"""


class Sshd:
    """An ssh server for root, alive inside a ``with`` block. Needs root (for its privilege separation)."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = _free_port()
        for name in ("host_key", "client_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        config = directory / "sshd_config"
        config.write_text(CONFIG.format(port=self.port, directory=directory))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # made by the service's unit, which need not run
        daemon = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
        assert daemon is not None
        self._log = directory / "log"
        self._server = psutil.Popen([daemon, "-D", "-f", str(config), "-E", str(self._log)])

    @staticmethod
    def missing() -> str | None:
        """Why there can be no server here; None when there can."""
        if shutil.which("sshd", path="/usr/sbin:/usr/local/sbin") is None or shutil.which("ssh") is None:
            return "no ssh server or client on this machine: apt-get install openssh-server openssh-client"
        return None

    def __enter__(self) -> Sshd:
        eventually(self._listens, f"sshd listens on port {self.port}")
        return self

    def connect(self, remote: Sequence[str], cwd: Path) -> Terminal:
        """Log in from a terminal and run a command in ``cwd`` on the other side."""
        command = f"cd {shlex.quote(str(cwd))} && exec {shlex.join(remote)}"
        options = [
            "-F", "none", "-tt", "-p", str(self.port), "-i", str(self.directory / "client_key"), "-o", "IdentitiesOnly=yes",
            "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={self.directory}/known_hosts", "-o", "LogLevel=ERROR",
        ]  # fmt: skip
        return Terminal(["ssh", *options, "root@127.0.0.1", command], env={"SSH_AUTH_SOCK": None})

    def sessions(self) -> list[psutil.Process]:
        """The server's own processes, one or more for each connection; not the programs run in them."""
        return [process for process in self._server.children(recursive=True) if process.name().startswith("sshd")]

    def programs(self) -> list[psutil.Process]:
        """Everything else that descends from the server."""
        return [process for process in self._server.children(recursive=True) if not process.name().startswith("sshd")]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for process in self.sessions():
            process.kill()
        self._server.terminate()
        self._server.wait()
        if error is not None:
            error.add_note(f"sshd said:\n{self._log.read_text()[-2000:]}")

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
