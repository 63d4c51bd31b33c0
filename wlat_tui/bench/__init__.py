"""Benchmarks that ship with wlat, and the generators they share with the tests."""
