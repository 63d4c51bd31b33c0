"""The watcher's parts: who touches marked kernel files, who syncs and dirties the target's filesystem, what they are called.

They run in a process of their own (`wlat_tui.watcher`), with the privileges that has; each says what it cannot see and why.
"""
