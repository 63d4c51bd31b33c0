"""Older files, made newer: each step takes a file of one major version to the next, always on a copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping

from wlat_tui.sessions.schema import MAJOR

Migration = Callable[[sqlite3.Connection], None]
MIGRATIONS: Mapping[int, Migration] = {}
"""Major version -> what makes it the next one. Version 1 is the first."""


def migrate(db: sqlite3.Connection, migrations: Mapping[int, Migration] = MIGRATIONS, newest: int = MAJOR) -> None:
    """Bring an open copy up to date, all or nothing.

    Raises:
        LookupError: no step leads from its version.
        sqlite3.Error: a step failed; the copy is as it was.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    db.execute("BEGIN IMMEDIATE")
    try:
        for major in range(version // 1000, newest):
            migrations[major](db)
            db.execute(f"PRAGMA user_version = {1000 * (major + 1)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
