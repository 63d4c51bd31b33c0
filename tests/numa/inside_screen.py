"""Run inside a guest: the real screen at three sizes, used by keys: ``python -m tests.numa.inside_screen DIRECTORY NODES``.

Leaves what was on the screen as DIRECTORY/COLUMNSxROWS.txt, and opened.txt with the last node's zones.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.e2e.screen import READY
from tests.e2e.terminal import Terminal

SIZES = ((80, 24), (120, 40), (200, 60))
WLAT = Path(sys.prefix) / "bin" / "wlat"


def main(out: Path, nodes: int) -> None:
    last = nodes - 1
    with Terminal([WLAT, "--dir", "/data", "--interval", "5ms", "--no-trace"], cwd="/") as live:
        live.wait_for(lambda text: READY in text and "writes/s" in text and f"{nodes} nodes" in text)
        for columns, rows in SIZES:
            live.resize(columns, rows)
            live.wait_for(lambda text, rows=rows: "? help" in text.split("\n")[rows - 1] and f"{nodes} nodes" in text)  # type: ignore[misc]
            (out / f"{columns}x{rows}.txt").write_text(live.text)
        live.press("2", "G", "enter")
        live.wait_for(lambda text: f"▾ {last}" in text and "watermarks" in text.split(f"▾ {last}")[1])
        (out / "opened.txt").write_text(live.text)
        live.press("q")
        assert live.wait() == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
