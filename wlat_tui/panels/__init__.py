"""One panel, one file: a title, a key and ``show(session)``. Panels draw the model and decide nothing."""
