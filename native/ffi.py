"""Builds the extension `wlat_tui._native` with cffi, from wlat.h and the C files beside this one."""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).resolve().parent


def declarations() -> str:
    """wlat.h without its preprocessor lines: what cffi reads."""
    return "".join(line for line in (NATIVE / "wlat.h").read_text().splitlines(keepends=True) if not line.startswith("#"))


def compile_into(directory: Path) -> Path:
    """Compile the extension below *directory*; returns the shared object (one abi3 file serves every Python >= 3.11)."""
    ffi = FFI()
    ffi.cdef(declarations())
    ffi.set_source(
        "wlat_tui._native",
        '#include "wlat.h"\n',
        sources=[str(path) for path in sorted(NATIVE.glob("*.c"))],
        depends=[str(path) for path in sorted(NATIVE.glob("*.h"))],
        include_dirs=[str(NATIVE)],
        # frame pointers and symbols stay: people will point perf at this process
        extra_compile_args=["-std=gnu11", "-O2", "-g1", "-fno-omit-frame-pointer", "-Wall", "-Wextra", "-Wno-unused-parameter"],
        libraries=["pthread"],
        define_macros=[("_GNU_SOURCE", "1"), ("Py_LIMITED_API", "0x030B0000")],
        py_limited_api=True,
    )
    return Path(ffi.compile(tmpdir=str(directory), verbose=False))
