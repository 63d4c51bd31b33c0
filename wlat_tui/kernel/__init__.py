"""Readers of kernel files: one file, one module, `read_x(root)` and `parse_x(text)`.

Common rules. A missing file is None, a missing row is absent or None, never 0. Unknown rows are kept under the kernel's name.
Values are unsigned 64-bit and kept as printed, even the absurd ones (an underflowed counter shows up as 18446744073709551615).
A file that exists but cannot be read raises OSError with its name; the caller turns that into a reason. Nothing here is keyed
on the kernel's version: distributions backport single rows.
"""

from pathlib import Path

ROOT = Path("/")
