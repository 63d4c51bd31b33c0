"""What the keys do, one file per topic: a part of the app with its own ``KEYS``; `wlat_tui.app` puts them together."""
