"""Defaults from ``config.toml`` in the XDG place; flags win over them. wlat never writes this file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import platformdirs


class ConfigError(Exception):
    """The file cannot be used; the message is one sentence naming it."""


def config_path() -> Path:
    """``$XDG_CONFIG_HOME/wlat/config.toml``, by default ``~/.config/wlat/config.toml``."""
    return Path(platformdirs.user_config_dir("wlat")) / "config.toml"


def load_config(path: Path, allowed: frozenset[str]) -> Mapping[str, str]:
    """Flag name (as in ``--disk-limit``: ``disk-limit``) -> its text, ready for the command line's own parser.

    Args:
        path: The file; a missing one is an empty configuration.
        allowed: Flag names that may stand in it.

    Raises:
        ConfigError: It is not readable, not TOML, or names something unknown.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    defaults: dict[str, str] = {}
    for key, value in raw.items():
        name = key.replace("_", "-")
        if name not in allowed:
            raise ConfigError(f"{path}: '{key}' is not a setting; it may hold {', '.join(sorted(allowed))}")
        if isinstance(value, dict | list):
            raise ConfigError(f"{path}: '{key}' must be a single value, as on the command line")
        defaults[name] = str(value)
    return defaults
