"""A recording of the demo, and its export as it is typed."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from tests.sessions.makers import recorded, scripted
from wlat_tui.commands.export import export

WHOLE = scripted(5 * 60)


def a_recording(directory: Path) -> Path:
    return recorded(directory / "a.wlat", WHOLE)


def exported(file: Path, form: str, *more: str, status: int = 0) -> bytes:
    """What goes to stdout; to stderr where it fails."""
    result = CliRunner().invoke(export, [str(file), "--format", form, *more])
    assert result.exit_code == status, result.output
    return result.stdout_bytes if status == 0 else result.output.encode()
