"""The gRPC service `spaceone.api.inventory.v1.Job` over MongoDB."""

from __future__ import annotations

__version__ = "0.1.0"
