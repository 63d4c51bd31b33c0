"""Data in, lines out. Nothing here knows the app; everything can be tested as plain text."""
