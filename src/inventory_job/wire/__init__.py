"""Protobuf messages in and out; knows messages, not gRPC."""
