"""One command of ``wlat`` per file."""
