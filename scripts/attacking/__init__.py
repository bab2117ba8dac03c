"""Attacks a server and measures what an honest client beside it notices; see scripts/attacks."""
