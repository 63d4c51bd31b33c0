"""A recording told to people: `digest.py` reads it once, `words.py` says it, `page.py` and `text.py` show it."""
