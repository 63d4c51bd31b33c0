"""Old detail rolled up, so that a recording can go on for ever in bounded room.

Of what is older than is kept, the frames are dropped with their rows in ``frame``, ``node`` and ``zone``. Their digests stay
(every 12 s: percentiles, worst, each node's least room), and so do stalls and who was at work during them, marks,
notices, losses, knobs and settings. Numbers
stay too: the first frame of such a recording is not number 0.
"""

from __future__ import annotations

import json
import sqlite3

DIGESTS_KEPT_NS = 7 * 86_400 * 1_000_000_000
"""Digests and single stalls older than this go as well; the totals since the start stay right."""


def forget_before(db: sqlite3.Connection, at_ns: int) -> None:
    """Drop frames of blocks that ended before; blocks that later ones refer to for what was last known stay.

    Raises:
        sqlite3.Error: nothing was dropped.
    """
    row = db.execute("SELECT first, carried FROM block WHERE end_ns > ? ORDER BY first LIMIT 1", (at_ns,)).fetchone()
    digested = db.execute("SELECT first + frames FROM digest ORDER BY first DESC LIMIT 1").fetchone()
    if row is None or digested is None or row[0] > digested[0]:
        return
    first = row[0]
    if db.execute("SELECT min(number) FROM frame").fetchone()[0] == first:
        return
    needed = set()
    for number in json.loads(row[1]).values():
        holder = db.execute("SELECT max(first) FROM block WHERE first <= ?", (number,)).fetchone()
        needed.add(holder[0])
    marks = ", ".join(map(str, sorted(needed))) or "NULL"
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute(f"DELETE FROM block WHERE first < ? AND first NOT IN ({marks})", (first,))
        db.execute("DELETE FROM frame WHERE number < ?", (first,))
        for table in ("node", "zone"):
            db.execute(f"DELETE FROM {table} WHERE frame < ?", (first,))
        db.execute("DELETE FROM suspect WHERE frame < ? AND coalesce(stalls, 0) = 0", (first,))
        held = db.execute(
            "SELECT max(first) FROM digest WHERE total IS NOT NULL AND first < ? AND end_ns < ?",
            (first, at_ns - DIGESTS_KEPT_NS),
        ).fetchone()[0]
        if held is not None:
            for table in ("digest", "digest_node", "digest_gap"):
                db.execute(f"DELETE FROM {table} WHERE first < ?", (held,))
            for table in ("stall", "suspect"):
                db.execute(f"DELETE FROM {table} WHERE frame < ?", (held,))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
