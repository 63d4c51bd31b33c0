"""The model folds frames into what the panels draw. It counts nothing on its own and never looks at a clock."""
