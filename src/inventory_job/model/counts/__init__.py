"""Totals of lists, counted once and kept up to date by a change stream."""
