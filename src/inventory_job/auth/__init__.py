"""Callers and what they may see. Pure: no gRPC, no database."""
