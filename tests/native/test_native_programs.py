"""Compiles the C test programs under the sanitizers and runs them: each checks one part and ends with status 0."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "native"
CORE = ("histogram.c", "writer.c", "place.c")
WHOLE = tuple(sorted(path.name for path in NATIVE.glob("*.c")))
COMPILE = (
    "-std=gnu11",
    "-g",
    "-fno-omit-frame-pointer",
    "-D_GNU_SOURCE",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-unused-parameter",
)
SANITIZERS = {
    # no-recover: a report ends the program
    "address+undefined": ("-O1", "-fno-sanitize-recover=all", "-fsanitize=address,undefined"),
    "thread": ("-O1", "-fsanitize=thread", "-DWL_WRITER_STACK_BYTES=2097152"),
    "none": ("-O2",),
}


@dataclass(frozen=True)
class Program:
    """One C file here, with the parts of native/ that it tests."""

    name: str
    sources: tuple[str, ...]
    platform: str | None = None
    """Header that stands in for native/platform.h in writer.c."""
    arguments: tuple[str, ...] = ()


HISTOGRAM = Program("histogram", ("histogram.c",))
SETTINGS = Program("settings", ("settings.c",))
PERF_RING = Program("perf_ring", ("perf_ring.c",))
WRITER = Program("writer", CORE, "virtual_platform.h")
SHORT_DAY = Program("day", CORE, "virtual_platform.h", ("5000000",))
DAY = Program("day", CORE, "virtual_platform.h")
ENGINE = Program("engine", WHOLE)
STUCK = Program("stuck", WHOLE, "stuck_platform.h")
CASES = [
    *((program, "address+undefined") for program in (HISTOGRAM, SETTINGS, PERF_RING, WRITER, SHORT_DAY, ENGINE, STUCK)),
    *((program, "thread") for program in (HISTOGRAM, WRITER, ENGINE, STUCK)),
    (DAY, "none"),
]


def build(program: Program, sanitizer: str, directory: Path) -> Path:
    """Compile one program; a warning fails the test."""
    target = directory / program.name
    platform = (f'-DWL_PLATFORM="{program.platform}"',) if program.platform else ()
    sources = (HERE / f"{program.name}_program.c", *(NATIVE / name for name in program.sources))
    command = ["cc", *COMPILE, *SANITIZERS[sanitizer], *platform, f"-I{NATIVE}", f"-I{HERE}", *map(str, sources)]
    done = subprocess.run([*command, "-o", str(target), "-lpthread"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to build the test programs with")
@pytest.mark.parametrize(("program", "sanitizer"), CASES, ids=[f"{program.name}-{sanitizer}" for program, sanitizer in CASES])
def test_a_native_program_ends_well(program: Program, sanitizer: str, tmp_path: Path) -> None:
    binary = build(program, sanitizer, tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    # -R: gcc 12's thread sanitizer cannot place its shadow under the larger address randomization of newer kernels
    run = ["setarch", "-R", str(binary)] if sanitizer == "thread" and shutil.which("setarch") else [str(binary)]
    arguments = program.arguments or ((str(work),) if program.sources == WHOLE else ())
    done = subprocess.run([*run, *arguments], capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any(work.iterdir())
