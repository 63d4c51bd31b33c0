"""The configuration file gives defaults, and says in one sentence what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wlat_tui.cli import cli
from wlat_tui.config import ConfigError, load_config

ALLOWED = frozenset({"interval", "disk-limit", "demo"})


def test_a_missing_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml", ALLOWED) == {}


def test_settings_are_named_like_the_flags_with_either_dash_or_underscore(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('interval = "1ms"\ndisk_limit = "2G"\ndemo = true\n')
    assert load_config(path, ALLOWED) == {"interval": "1ms", "disk-limit": "2G", "demo": "True"}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"interval = ", "is not valid TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"speed = 3\n", "'speed' is not a setting; it may hold demo, disk-limit, interval"),
        (b"interval = [1]\n", "'interval' must be a single value"),
    ],
)
def test_a_bad_file_is_named_with_its_fault_in_one_line(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load_config(path, ALLOWED)
    assert str(path) in str(error.value)
    assert sentence in str(error.value)


def test_a_directory_in_its_place_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path, ALLOWED)


def test_flags_win_over_the_file_and_the_file_over_what_is_built_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Mapping[str, Any]] = []
    monkeypatch.setattr("wlat_tui.commands.live.live", lambda _ctx, options: seen.append(options))
    path = tmp_path / "config.toml"
    path.write_text('interval = "1ms"\nthreshold = "5ms"\n')
    cli.main(["--config", str(path), "--interval", "2ms"], standalone_mode=False)
    assert (seen[0]["interval_ns"], seen[0]["threshold_ns"], seen[0]["tick_ns"]) == (2_000_000, 5_000_000, 200_000_000)
