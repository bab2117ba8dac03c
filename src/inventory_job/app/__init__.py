"""The composition root: everything built from settings, started, drained, stopped."""
