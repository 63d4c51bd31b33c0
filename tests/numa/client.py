"""What the screen does to change settings, without the picture: asks a keeper for what its argument says, then waits."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping

from wlat_tui.keeper_client import Keeper


async def change_and_wait(wanted: Mapping[str, str]) -> None:
    keeper = await Keeper.start()
    for name, value in wanted.items():
        outcome = await keeper.set(name, value)
        if not outcome.ok:
            sys.exit(outcome.message)
    print(keeper.pid, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(change_and_wait(json.loads(sys.argv[1])))
