"""Failures as gRPC has them."""

from __future__ import annotations

import grpc
import pytest

from inventory_job.errors import InvalidRequest, Kind, Overloaded, invalid
from inventory_job.transport.grpc.status import STATUS_CODES, status_of
from inventory_job.transport.rich_status import rich_status


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_the_status_of_its_name(kind: Kind) -> None:
    assert STATUS_CODES[kind] is grpc.StatusCode[kind.value]


def test_the_trailers_stay_below_what_reaches_every_client() -> None:
    many = InvalidRequest([invalid(f"query.filter[{n}]", "é" * 500) for n in range(100)])

    status = status_of(many)

    assert sum(len(key) + len(value) for key, value in status.trailing_metadata) < 4096
    assert rich_status(many).message.endswith("…")


def test_an_overload_says_when_to_come_again() -> None:
    metadata = dict(status_of(Overloaded("reason")).trailing_metadata)

    assert metadata["grpc-retry-pushback-ms"] == "1000"
