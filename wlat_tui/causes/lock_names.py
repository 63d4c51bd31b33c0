"""Which lock exactly: of which node, of which slab cache. Only what a record proves; the rest is said to be not known.

The kernel records a lock's address, and most of these locks lie in memory that no symbol names. But the functions around it
tell whose objects were wanted, and events that follow under the same lock (deep tracing) tell where the page lay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from wlat_tui.causes.chains import on_interrupt, plain_chain
from wlat_tui.causes.circumstances import Circumstances
from wlat_tui.evidence import TraceEvent

CACHES = {
    "alloc_buffer_head": "buffer_head",
    "free_buffer_head": "buffer_head",
    "xas_alloc": "radix_tree_node",
    "xas_nomem": "radix_tree_node",
    "xas_create": "radix_tree_node",
    "jbd2_journal_add_journal_head": "jbd2_journal_head",
    "jbd2__journal_start": "jbd2_journal_handle",
    "jbd2_alloc_inode": "jbd2_inode",
    "jbd2_journal_init_jbd_inode": "jbd2_inode",
    "ext4_es_insert_extent": "ext4_extent_status",
    "ext4_es_insert_delayed_extent": "ext4_extent_status",
    "ext4_es_insert_delayed_block": "ext4_extent_status",
    "ext4_init_io_end": "ext4_io_end",
    "xfs_trans_alloc": "xfs_trans",
    "alloc_extent_state": "btrfs_extent_state",
}
"""Functions that ask for an object of one cache, and the cache as /proc/slabinfo names it."""
_ASKS = ("kmem_cache_alloc", "kmem_cache_free")
_PAGES = ("mm_page_alloc_zone_locked",)


def lock_name(cause: str, begin: TraceEvent, chain: Sequence[str], after: Iterable[TraceEvent], known: Circumstances) -> str:
    """The lock that a ``contention_begin`` was about; "" where there is no more to say than its cause.

    Args:
        chain: its functions, plain, innermost first.
        after: the writer's events after it, in time order.
    """
    if name := begin.texts.get("lock"):
        return name
    under = takewhile(lambda event: event.name != "contention_begin", after)
    if cause == "list_lock":
        cache = _cache(chain, under)
        return f"list_lock of {cache or 'a cache that is not known'}{_only_node(known)}"
    if cause == "zone_lock":
        node = _node_of_page(under, known)
        return "zone->lock" + (f", node {node}" if node is not None else _only_node(known) or ", node not known")
    return ""


def _cache(chain: Sequence[str], under: Iterable[TraceEvent]) -> str | None:
    asked = (event.texts.get("name") for event in under if event.name in _ASKS and not on_interrupt(plain_chain(event.chain)))
    return next(asked, None) or next((CACHES[frame] for frame in chain if frame in CACHES), None)


def _only_node(known: Circumstances) -> str:
    return f", node {known.nodes[0].node}" if len(known.nodes) == 1 else ""


def _node_of_page(under: Iterable[TraceEvent], known: Circumstances) -> int | None:
    """The node of the page that was taken under the lock. None: no such event, or zones of nodes that overlap."""
    pfn = next((event.numbers.get("pfn", -1) for event in under if event.name in _PAGES), -1)
    nodes = {node.node for node in known.nodes for begin, end in node.pfns if begin <= pfn < end}
    return nodes.pop() if len(nodes) == 1 else None
