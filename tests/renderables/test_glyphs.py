"""Which characters a terminal can be sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.renderables.glyphs import ASCII, UNICODE, choose, to_ascii


@pytest.mark.parametrize(
    ("variables", "utf8"),
    [
        ({"LANG": "de_DE.UTF-8"}, True),
        ({"LANG": "C.UTF-8"}, True),
        ({"LANG": "en_US.utf8@euro"}, True),
        ({"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LC_CTYPE": "POSIX"}, False),
        ({}, False),
    ],
)
def test_the_locale_decides(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], utf8: bool) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choose(None) is (UNICODE if utf8 else ASCII)
    assert choose(True) is ASCII
    assert choose(False) is UNICODE


@given(st.text(max_size=30))
def test_ascii_text_keeps_its_length(text: str) -> None:
    assert to_ascii(text).isascii()
    assert len(to_ascii(text)) == len(text)


def test_the_plain_set_is_plain() -> None:
    assert all(getattr(ASCII, name).isascii() for name in ASCII.__slots__)
