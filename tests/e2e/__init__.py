"""The installed command, driven the way a person drives it: in a terminal."""
