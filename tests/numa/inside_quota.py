"""Run by test_quota.py inside a guest with an XFS on which an ordinary user may take 24 MiB and no more."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wlat_tui import engine_client
from wlat_tui.engine_client import Engine
from wlat_tui.frame import Settings, WriterTick

MIB = 1 << 20
# 200 writes/s: 5,000 would take most of an emulated CPU
SETTINGS = Settings(interval_ns=5_000_000, write_bytes=32 << 10, segment_bytes=4 * MIB, disk_limit_bytes=128 * MIB)
PATIENCE_S = 120
USER = 65534
AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--")


@contextmanager
def limited(hard_mib: int) -> Iterator[Path]:
    mounted = Path(tempfile.mkdtemp(dir="/data"))
    image = mounted.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(400 * MIB)
    subprocess.run(["mkfs.xfs", "-q", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop,uquota", str(image), str(mounted)], check=True)
    try:
        subprocess.run(["xfs_quota", "-x", "-c", f"limit bhard={hard_mib}m {USER}", str(mounted)], check=True)
        mounted.chmod(0o777)
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


async def a_quota_is_said_and_the_writer_goes_on_when_there_is_room(disk: Path) -> None:
    engine = await Engine.start(SETTINGS, disk)
    ticks = engine.ticks()

    async def until(wanted: Callable[[WriterTick], bool]) -> WriterTick:
        async with asyncio.timeout(PATIENCE_S):
            async for tick in ticks:
                if wanted(tick):
                    return tick
        raise AssertionError("the engine ended")

    try:
        await until(lambda tick: sum(tick.writes) > 0)
        hog = disk / "hog"
        subprocess.run([*AS_USER, "dd", "if=/dev/zero", f"of={hog}", "bs=1M", "count=100"], check=False, capture_output=True)
        tick = await until(lambda tick: tick.trouble != 0 and tick.error != 0)
        assert tick.error == errno.EDQUOT, os.strerror(tick.error)
        hog.unlink()
        await until(lambda tick: tick.trouble == 0 and sum(tick.writes) > 5)
    finally:
        assert await engine.stop() is None


def main() -> int:
    command = engine_client.engine_command()
    engine_client.engine_command = lambda: (*AS_USER, *command)
    with limited(24) as disk:
        asyncio.run(a_quota_is_said_and_the_writer_goes_on_when_there_is_room(disk))
    print("passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
