"""A disk quota on a kernel that has them: this machine's need not (CONFIG_QFMT_V2, CONFIG_XFS_QUOTA)."""

from __future__ import annotations

import pytest

from tests.numa.guest import Guest
from tests.numa.test_guest import booted

pytestmark = [pytest.mark.numa, pytest.mark.minutes("boots a guest of its own")]


def test_a_quota_is_said_and_the_writer_goes_on_when_there_is_room() -> None:
    output = (
        booted(Guest(mem=("2G",), cpus=("0-1",), fs="ext4", kernel="6.12")).run("python -m tests.numa.inside_quota").check()
    )
    assert output.endswith("passed\n"), output
