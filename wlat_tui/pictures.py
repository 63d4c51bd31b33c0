"""Files that a key saves: new ones, never over an existing one."""

from __future__ import annotations

from pathlib import Path


def save_new(directory: Path, stem: str, text: str, suffix: str = ".svg") -> Path:
    """Write a file that did not exist, with a number behind its name if need be. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        path = directory / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(f"{directory}/{stem}{suffix} and 998 more exist")
