"""Totals of lists: counted once, cached, and kept up to date by a change stream."""
