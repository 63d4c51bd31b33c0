"""Which container or service a process belongs to, as the runtimes write it into control groups."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wlat_tui.kernel.cgroup import container_of

ID = "0123456789abcdef" * 4
POD = "pod0a1b2c3d_0000_1111_2222_333344445555"


@pytest.mark.parametrize(
    ("text", "container"),
    [
        ("0::/\n", None),
        ("", None),
        ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
        ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.scope\n", None),
        ("0::/system.slice/nginx.service\n", "nginx.service"),
        (f"0::/system.slice/docker-{ID}.scope\n", "docker 0123456789ab"),
        (f"12:memory:/docker/{ID}\n1:name=systemd:/docker/{ID}\n", "docker 0123456789ab"),
        (f"0::/machine.slice/libpod-{ID}.scope/container\n", "libpod 0123456789ab"),
        (
            f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-{POD}.slice/cri-containerd-{ID}.scope",
            "cri-containerd 0123456789ab",
        ),
        (f"0::/kubepods/besteffort/{POD}/{ID}\n", "kubernetes 0123456789ab"),
        (f"0::/kubepods.slice/kubepods-{POD}.slice\n", "pod 0a1b2c3d-0000-1111-2222-333344445555"),
        ("0::/lxc.payload.web/init.scope\n", "lxc web"),
        ("0::/machine.slice/machine-my\\x2dbox.scope\n", "machine my-box"),
        (f"5:cpu:/system.slice/docker.service\n0::/system.slice/docker-{ID}.scope\n", "docker 0123456789ab"),
    ],
)
def test_containers_and_services_are_recognised(text: str, container: str | None) -> None:
    assert container_of(text) == container


@given(st.text(max_size=300))
def test_no_text_crashes_it_and_a_name_is_one_line(text: str) -> None:
    found = container_of(text)
    assert found is None or (found and "\n" not in found)
