"""The pictures in screenshots/ come from the real program, in one command, and look the same in every renderer."""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from wlat_tui.kernel.mounts import disk_refusal, read_target

MAKE = Path(__file__).parents[1] / "screenshots" / "make.py"


def words(svg: Path) -> str:
    """What the picture says, without regard to colours."""
    texts = re.findall(r"<text[^>]*>(.*?)</text>", svg.read_text(encoding="utf-8"))
    return " ".join(html.unescape(text).replace("\xa0", " ") for text in texts)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    target = read_target(tmp_path)
    if target is not None and (refusal := disk_refusal(target)) is not None:
        pytest.skip(f"needs a temporary directory on a disk: {refusal}")
    return tmp_path


def test_one_command_makes_a_picture_of_this_host(disk: Path) -> None:
    command = [sys.executable, MAKE, "--to", ".", "--dir", ".", "--watch", "2", "live-120x40"]
    done = subprocess.run(command, cwd=disk, capture_output=True, text=True, check=True)
    expected = {"live-120x40.svg"} | ({"live-120x40.png"} if shutil.which("rsvg-convert") else set())
    assert set(os.listdir(disk)) == expected
    picture = disk / "live-120x40.svg"
    said = words(picture)
    for text in (os.uname().nodename, os.uname().release, "latency", "NUMA nodes", "Mitigations", "writes/s"):
        assert text in said
    assert "DEMO" not in said
    assert "n/a of" not in said, "the writer's rate must have been measured"
    markup = picture.read_text(encoding="utf-8")
    ElementTree.fromstring(markup)
    assert "Fira Code" not in markup
    assert "https://cdnjs" not in markup, "a picture must not load anything from the web"
    assert "<path" in markup, "bars and lines are drawn as shapes"
    assert "rsvg-convert is not installed" in done.stderr or shutil.which("rsvg-convert")


def test_the_demo_is_labelled(tmp_path: Path) -> None:
    subprocess.run([sys.executable, MAKE, "--to", tmp_path, "--watch", "1", "demo-120x40"], check=True, capture_output=True)
    assert "DEMO, nothing here is real" in words(tmp_path / "demo-120x40.svg")


def test_memory_in_place_of_a_disk_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, MAKE, "--to", tmp_path, "--dir", "/dev/shm", "live-120x40"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "tmpfs" in refused.stderr
    assert "Traceback" not in refused.stderr
