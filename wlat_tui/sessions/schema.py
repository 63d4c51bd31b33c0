"""The file: one session in one SQLite database, ``*.wlat``.

It is marked by ``application_id`` 0x776c6174 ("wlat") and ``user_version`` 1000 * major + minor. A minor version adds tables,
columns or fields, which older readers skip; a major version needs a migration (`migrations.py`). While it is being recorded
there is a ``-wal`` file beside it (keep them together); closed, it is one plain file.

The truth is in **block**: raw frames, packed (`blocks.py` documents the bytes), enough to replay the session. The other tables
are copies of what people ask for in SQL, made from the same frames; ``wlat repair`` makes them anew. Times ``_ns`` are
CLOCK_MONOTONIC of the recording host (since its boot) unless they say wall; NULL means "not read" or "this kernel does not have
it"; counts above 2**63 - 1 are NULL too, as SQLite has no larger whole numbers. ``frame`` in other tables is ``frame.number``.

| table   | one row per                                                                                                  |
| header  | fact about the file: value is JSON                                                                           |
| block   | some seconds: frames first .. first + frames - 1. carried: JSON, section -> last frame before that has it     |
| frame   | tick: the worst write by span, percentiles of service, writes by class, slots, gap in ns, stalls, reports lost     |
| node    | node and second: pages                                                                                       |
| zone    | zone, each time zoneinfo was read: pages; min/low/high include boost                                         |
| knob    | kernel setting, each time it changed: the kernel's text                                                      |
| setting | setting of the writer, each time any was asked for                                                           |
| stall   | stall that the engine described singly; frame.stalls counts all                                               |
| suspect | thing another process did to what the write path needs: begin_ns to end_ns enclose it. kind and what as in    |
|         | `wlat_tui.evidence.Disturbance` (a file read); stalls: how many it overlapped, NULL where that means nothing |
| mark    | thing done: a toggle, a foreign change, a note                                                               |
| notice  | sentence for the user                                                                                        |
| loss    | kind of thing dropped in a tick                                                                              |
| host    | time the host introduced itself: JSON                                                                        |
| gap     | (a view) stretch that no frame covers                                                                        |

For seeking, and made from the blocks alone (a reader may ignore them): one row per finished block in **digest** (``data`` is
that block added up, ``total``, in every eighth row, everything up to and with it, both as `digests.py` documents; ``most_``
is the worst ns << 2 | class of write, ``least_`` the smallest worst of a tick), one per block and node in **digest_node** (the
smallest free and headroom pages), one per stretch without reports in **digest_gap**.
"""

from __future__ import annotations

APPLICATION_ID = 0x776C6174
MAJOR, MINOR = 1, 3
VERSION = 1000 * MAJOR + MINOR

GAPS = """
    SELECT a.number AS after_frame, a.end_ns AS begin_ns, b.begin_ns AS end_ns
    FROM frame a JOIN frame b ON b.number = a.number + 1
    WHERE b.begin_ns - a.end_ns > 100000000
"""
DIGESTS = """
CREATE TABLE digest (
    first INTEGER PRIMARY KEY, frames INTEGER NOT NULL, begin_ns INTEGER, end_ns INTEGER,
    most_wake INTEGER, most_service INTEGER, most_response INTEGER,
    least_wake INTEGER, least_service INTEGER, least_response INTEGER, data BLOB NOT NULL, total BLOB);
CREATE TABLE digest_node (
    first INTEGER, node INTEGER, free INTEGER, headroom INTEGER, PRIMARY KEY (node, first)) WITHOUT ROWID;
CREATE TABLE digest_gap (first INTEGER, begin_ns INTEGER, end_ns INTEGER, reason TEXT, writer_only INTEGER);
"""
SCHEMA = f"""
CREATE TABLE header (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE block (
    first INTEGER PRIMARY KEY, frames INTEGER NOT NULL, begin_ns INTEGER, end_ns INTEGER,
    carried TEXT NOT NULL, data BLOB NOT NULL);
CREATE INDEX block_end ON block (end_ns);
CREATE TABLE frame (
    number INTEGER PRIMARY KEY, begin_ns INTEGER, end_ns INTEGER, wall_ns INTEGER,
    worst_wake_ns INTEGER, worst_service_ns INTEGER, worst_response_ns INTEGER,
    in_page INTEGER, new_page INTEGER, prepared INTEGER,
    skipped_slots INTEGER, error_slots INTEGER, gap_ns INTEGER, stalls INTEGER, missing TEXT,
    worst_wake_class INTEGER, worst_service_class INTEGER, worst_response_class INTEGER,
    p50_service_ns INTEGER, p99_service_ns INTEGER, p999_service_ns INTEGER);
CREATE TABLE node (
    frame INTEGER, node INTEGER, free INTEGER, file INTEGER, anon INTEGER, slab INTEGER, dirty INTEGER, writeback INTEGER,
    kswapd TEXT, PRIMARY KEY (frame, node)) WITHOUT ROWID;
CREATE TABLE zone (
    frame INTEGER, node INTEGER, name TEXT, free INTEGER, min INTEGER, low INTEGER, high INTEGER,
    managed INTEGER, boost INTEGER, protection TEXT);
CREATE TABLE knob (frame INTEGER, name TEXT, value TEXT, original TEXT, unavailable TEXT);
CREATE TABLE setting (frame INTEGER, name TEXT, value TEXT);
CREATE TABLE stall (
    frame INTEGER, planned_ns INTEGER, begin_ns INTEGER, end_ns INTEGER,
    wake_ns INTEGER, service_ns INTEGER, response_ns INTEGER,
    class TEXT, cpu INTEGER, backlog INTEGER, segment INTEGER, "offset" INTEGER);
CREATE INDEX stall_frame ON stall (frame);
CREATE TABLE suspect (
    frame INTEGER, begin_ns INTEGER, end_ns INTEGER, kind TEXT, what TEXT,
    pid INTEGER, comm TEXT, command TEXT, container TEXT, parent_pid INTEGER, parent TEXT,
    count INTEGER, spent_ns INTEGER, own INTEGER, stalls INTEGER);
CREATE TABLE mark (frame INTEGER, at_ns INTEGER, kind TEXT, name TEXT, before TEXT, after TEXT, text TEXT);
CREATE TABLE notice (frame INTEGER, text TEXT);
CREATE TABLE loss (frame INTEGER, name TEXT, count INTEGER);
CREATE TABLE host (frame INTEGER, value TEXT);
CREATE VIEW gap AS {GAPS};
{DIGESTS}"""

TABLES = ("frame", "node", "zone", "knob", "setting", "stall", "suspect", "mark", "notice", "loss", "host")
"""What can be exported as it stands."""
ADDED = {"suspect": 1003}
"""Tables that files of an earlier version do not have."""
SECTIONS = ("host", "settings", "nodes", "zones", "vmstat", "pressure", "knobs", "cost", "tracer", "watches", "cpu_times")
"""Parts of a frame that hold until the next frame that has them."""


class SessionError(Exception):
    """A recording cannot be read or made. The message is one sentence: which file, what, and what to do."""
