"""Tests of wlat, laid out like the package they test."""
