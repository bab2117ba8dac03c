"""What the programs that measure, load, break and attack a server share."""
