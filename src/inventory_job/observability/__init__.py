"""What the server says about itself: log, metrics, traces, and one entry for each call."""
