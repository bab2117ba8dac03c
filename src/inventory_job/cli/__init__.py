"""The command line: parses arguments, no logic."""
