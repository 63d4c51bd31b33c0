"""Recordings: one session, one SQLite file of raw frames. `schema.py` documents the file, `blocks.py` its blobs."""
