"""The live screen and the dialogs above it."""
