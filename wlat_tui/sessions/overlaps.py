"""Which of those seen disturbing the writes were at it during a stall: the column ``stalls`` of the table ``suspect``.

The same rule as `wlat_tui.model.suspects`: what is known only as a sum over a second or so gets no number (NULL), and time
spent queueing behind an earlier stall is that one's. Stalls that a storm kept out of the file are not counted.
"""

from __future__ import annotations

import sqlite3

from wlat_tui.model.suspects import KEPT_DISTURBANCES, KEPT_STALLS

# the newest rows only, as in the model: an index over all of them would take as much room as their times
_RECENT = "rowid > (SELECT max(rowid) FROM {table}) - {rows}"
_SINCE = "CASE WHEN stall.backlog THEN stall.begin_ns ELSE stall.planned_ns END"
_OF_NEW_SUSPECTS = f"""
    UPDATE suspect SET stalls = (
        SELECT count(*) FROM stall WHERE stall.{_RECENT.format(table="stall", rows=KEPT_STALLS)}
        AND stall.end_ns >= suspect.begin_ns AND {_SINCE} <= suspect.end_ns)
    WHERE rowid > ? AND stalls IS NOT NULL
"""
_OF_NEW_STALLS = f"SELECT {_SINCE}, end_ns FROM stall WHERE frame >= ? AND end_ns > 0"
_FOR_EARLIER_SUSPECTS = f"""
    UPDATE suspect SET stalls = stalls + 1
    WHERE {_RECENT.format(table="suspect", rows=KEPT_DISTURBANCES)} AND rowid <= ? AND stalls IS NOT NULL
    AND end_ns >= ? AND begin_ns <= ?
"""


def count_overlaps(db: sqlite3.Connection, first: int, before: int) -> None:
    """Count for the suspects and stalls just inserted.

    A stall is told when it is over, often later than who was at work meanwhile.

    Args:
        db: in a transaction.
        first: number of the first new frame.
        before: the last suspect's rowid before.

    Raises:
        sqlite3.Error: nothing can be written.
    """
    db.execute(_OF_NEW_SUSPECTS, (before,))
    for since_ns, end_ns in db.execute(_OF_NEW_STALLS, (first,)).fetchall():
        db.execute(_FOR_EARLIER_SUSPECTS, (before, since_ns, end_ns))
