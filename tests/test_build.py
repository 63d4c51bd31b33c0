"""The native core is built by the package build, and a machine that cannot build it is told what to install."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

NATIVE = Path(__file__).resolve().parent.parent / "native"
QUESTION = "import build_hook; print(build_hook.missing_tools())"


def missing_tools(**environment: str) -> str:
    """What the build says is missing, asked as pip's build asks: in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", QUESTION], cwd=NATIVE, env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_missing_compiler_is_one_sentence_with_the_command_that_brings_it() -> None:
    said = missing_tools(CC="no-such-compiler -O2")
    assert "the C compiler 'no-such-compiler' was not found" in said
    assert "apt-get install gcc" in said
    assert "\n" not in said


def test_a_machine_that_can_build_is_not_bothered() -> None:
    assert missing_tools(CC=sys.executable) == "None"


def test_the_header_is_all_that_cffi_needs() -> None:
    """wlat.h without its preprocessor lines is the declarations: constants are enums, there are no macros."""
    from cffi import FFI

    header = (NATIVE / "wlat.h").read_text()
    assert [line for line in header.splitlines() if line.startswith("#define")] == ["#define WLAT_H"]
    ffi = FFI()
    ffi.cdef("".join(line for line in header.splitlines(keepends=True) if not line.startswith("#")))
    assert ffi.sizeof("struct wl_bucket") == 8


def test_one_extension_serves_every_python() -> None:
    import wlat_tui._native as built

    assert built.__file__.endswith("_native.abi3.so")
    assert sysconfig.get_platform().startswith("linux")
