"""wlat: watch the worst write() of this host, next to the memory of every NUMA node."""

__version__ = "0.1.0"
