"""Child of `wlat bench`: the bare C loop for a while, then its figures (us) as JSON.

python -m wlat_tui.bench.bare_child DIRECTORY WARM_UP_S SECONDS
"""

from __future__ import annotations

import json
import os
import sys

from wlat_tui.frame import Settings
from wlat_tui.native import bare_run


def main(arguments: list[str]) -> int:
    directory, warm_up_s, seconds = arguments
    dir_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    if float(warm_up_s):
        bare_run(dir_fd, Settings(), round(float(warm_up_s) * 1e9))
    figures = {}
    for span, histogram in zip(("service", "wake"), bare_run(dir_fd, Settings(), round(float(seconds) * 1e9)), strict=True):
        for name, ns in zip(("p50", "p99", "p99.9"), histogram.quantiles([0.5, 0.99, 0.999]), strict=True):
            figures[f"{span} {name}"] = ns / 1e3
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
