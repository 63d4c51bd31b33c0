"""Guests with several memory nodes, and what wlat does inside them."""
