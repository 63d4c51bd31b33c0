"""asyncio without TLS, which nothing on the screen uses: OpenSSL would take room and time of every start. Imported before it.

As where Python was built without OpenSSL; whoever imports ssl himself later gets it all the same.
"""

from __future__ import annotations

import sys

if "asyncio" not in sys.modules and "ssl" not in sys.modules:
    sys.modules["ssl"] = None  # type: ignore[assignment]  # "import ssl" then raises ImportError
    try:
        import asyncio  # noqa: F401
    finally:
        del sys.modules["ssl"]
