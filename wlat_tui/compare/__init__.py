"""Two runs against each other: what differs, how sure that is, and when nothing can be said.

a, b = Side("off"), Side("on")
for frame in frames_of_a: a.take(frame)     # `a.part()` between stretches that do not follow each other
...
comparison = compare(a, b)                  # `comparison.verdict`, `.populations`, `.stalls`, `.warnings`
"""
