"""Conversion of protobuf messages to and from plain data; independent of gRPC."""
