"""The query language: parse, validate, compile. Pure: no I/O."""
