"""Experiments: sides that take turns on the live host, recorded as one session with the phases marked."""
