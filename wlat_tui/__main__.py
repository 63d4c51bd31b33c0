"""``python -m wlat_tui`` is the command ``wlat``."""

from wlat_tui.cli import main

if __name__ == "__main__":
    main()
