"""Which disturbers wlat could name here: everything is armed for a moment, as the watcher would, and let go again."""

from __future__ import annotations

from wlat_tui.doctor.finding import Finding, State, Subject
from wlat_tui.kernel.mounts import find_mount
from wlat_tui.watcher import Wish, survey

WHY = "Who reads slabinfo and its like, who syncs and who dirties pages next door is what stalls can be held against."


def watches(subject: Subject) -> Finding:
    if not subject.live:
        return Finding("suspects", State.OK, "not tried on a copied tree", WHY)
    mount = find_mount(subject.directory)
    if mount is None:
        return Finding("suspects", State.MISSING, "n/a: there is no /proc", WHY)
    found = survey(Wish(mount.device_number, mount.filesystem, mount.mount_point, frozenset(), frozenset()))
    blind = [watch for watch in found if not watch.armed]
    if not blind:
        return Finding("suspects", State.OK, f"all watched: {', '.join(watch.name for watch in found)}", WHY)
    here = f"blind to {'; '.join(f'{watch.name}: {watch.why}' for watch in blind)}"
    fix = next((watch.fix for watch in blind if watch.fix), None)
    # what no privilege would bring is no fault of this host's set-up
    state = State.DEGRADED if fix else State.OK
    return Finding("suspects", state, here, WHY, fix)
