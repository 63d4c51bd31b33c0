"""A real browser without a window: what it makes of a page, and what it complains about."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
PATIENCE_S = 90
TRIES = 3
_NOISE = re.compile(r":CONSOLE(?:\(\d+\)|:\d+)?\] ")


def needs_a_browser() -> pytest.MarkDecorator:
    return pytest.mark.skipif(BROWSER is None, reason="needs chromium")


def browse(page: Path, profile: Path, *options: str) -> tuple[str, list[str]]:
    """(the page's elements once its scripts have run, what its console said). No network.

    A browser that does not answer on a busy machine is started anew.
    """
    assert BROWSER is not None
    command = [
        *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-extensions"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--virtual-time-budget=60000"),
    ]
    for attempt in range(TRIES):
        home = profile / str(attempt)
        try:
            ran = subprocess.run(
                [*command, f"--user-data-dir={home}", *options, "--dump-dom", page.as_uri()],
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
                env={**os.environ, "HOME": str(profile)},
            )
        except subprocess.TimeoutExpired:
            continue
        if "</html>" in ran.stdout:
            return ran.stdout, [line for line in ran.stderr.splitlines() if _NOISE.search(line)]
    raise AssertionError(f"the browser did not answer in {TRIES} tries")
