from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.tree import write
from wlat_tui.frame import Target
from wlat_tui.kernel.mountinfo import parse_mountinfo
from wlat_tui.kernel.mounts import disk_refusal, read_target

MOUNTINFO = r"""22 1 252:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
30 22 0:30 / /var/lib/layers rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
31 22 0:31 / /tmp rw,nosuid - tmpfs tmpfs rw,size=1024k
32 22 8:17 / /data\040disk ro,noatime master:2 shared:3 - xfs /dev/sdb1 rw,attr2
33 22 0:33 /sub /srv rw - btrfs /dev/mapper/pool rw,subvol=/sub
34 22 253:0 / /stack rw - xfs /dev/dm-0 rw
35 34 0:40 / /stack rw - tmpfs tmpfs rw
36 22 0:41 / /nfs rw - nfs4 server:/export rw
cut line
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "proc/self/mountinfo": MOUNTINFO,
            "sys/devices/vda/queue/stable_writes": "0\n",
            "sys/devices/vda/queue/rotational": "1\n",
            "sys/devices/vda/vda1/partition": "1\n",
            "sys/dev/block/8:17/queue/stable_writes": "1\n",
            "sys/class/block/pool/queue/rotational": "0\n",
        },
    )


def _target(root: Path, directory: str) -> Target:
    (root / "sys/dev/block/252:1").exists() or (root / "sys/dev/block/252:1").symlink_to("../../devices/vda/vda1")
    target = read_target(Path(directory), root)
    assert target is not None
    return target


def test_a_directory_belongs_to_its_deepest_mount(root: Path) -> None:
    assert _target(root, "/home/someone").mount_point == "/"
    assert _target(root, "/tmp/x").filesystem == "tmpfs"
    assert _target(root, "/tmpfile").mount_point == "/"


def test_a_mount_on_top_of_another_hides_it(root: Path) -> None:
    assert _target(root, "/stack/x").filesystem == "tmpfs"


def test_blanks_in_a_mount_point_are_understood(root: Path) -> None:
    target = _target(root, "/data disk/log")
    assert (target.mount_point, target.device, target.filesystem) == ("/data disk", "/dev/sdb1", "xfs")


def test_options_are_the_mounts_own_and_then_the_filesystems(root: Path) -> None:
    assert _target(root, "/").mount_options == "rw,relatime,errors=remount-ro"
    assert _target(root, "/data disk").mount_options == "ro,noatime,attr2"


def test_a_partition_has_the_queue_of_its_disk(root: Path) -> None:
    target = _target(root, "/home")
    assert (target.stable_writes, target.rotational) == (False, True)
    assert _target(root, "/data disk").stable_writes is True


def test_a_filesystem_with_a_device_number_of_its_own_is_found_by_its_source(root: Path) -> None:
    target = _target(root, "/srv")
    assert (target.stable_writes, target.rotational) == (None, False)


def test_what_stands_in_for_a_disk_is_refused_and_told(root: Path) -> None:
    for directory, word in (("/tmp", "tmpfs"), ("/var/lib/layers/x", "overlay")):
        refusal = disk_refusal(_target(root, directory))
        assert refusal is not None
        assert word in refusal
        assert "--dir" in refusal
        assert directory in refusal


def test_disks_and_network_filesystems_are_not_refused(root: Path) -> None:
    assert [disk_refusal(_target(root, directory)) for directory in ("/", "/data disk", "/srv", "/nfs")] == [None] * 4


def test_a_host_without_proc_has_no_target(tmp_path: Path) -> None:
    assert read_target(Path("/"), tmp_path) is None


def test_a_directory_that_is_not_there_is_an_error_naming_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_target(tmp_path / "nowhere")


def test_this_hosts_proc_is_found_exactly() -> None:
    target = read_target(Path("/proc/self"))
    assert target is not None
    assert (target.filesystem, target.mount_point) == ("proc", "/proc")


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(NAMES, max_size=4))
def test_any_mount_point_survives_the_kernels_escapes(parts: list[str]) -> None:
    point = "/" + "/".join(parts)
    escaped = "".join(f"\\{ord(letter):03o}" if letter in " \t\n\\" else letter for letter in point)
    (mount,) = parse_mountinfo(f"32 22 8:17 / {escaped} rw master:2 - xfs /dev/sdb1 rw\n")
    assert (mount.mount_point, mount.options, mount.source) == (point, "rw", "/dev/sdb1")


def test_a_relative_directory_is_told_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    target = read_target(Path("."))
    assert target is not None
    assert target.directory == str(tmp_path)


def test_lines_that_are_not_mounts_are_skipped() -> None:
    assert len(parse_mountinfo(MOUNTINFO)) == 8
