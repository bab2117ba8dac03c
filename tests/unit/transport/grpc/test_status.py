"""Failures as gRPC has them."""

from __future__ import annotations

import pytest

from inventory_job.errors import Code, InvalidRequest, Kind, Overloaded, ServiceError, invalid
from inventory_job.transport.failures import rich_status
from inventory_job.transport.grpc.interceptor import status_of


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_every_kind_has_the_status_of_its_name(kind: Kind) -> None:
    class Failing(ServiceError):
        code = Code.UNKNOWN

    Failing.kind = kind

    code, details, _ = status_of(Failing("reason"))

    assert (code.name, details) == (kind.value, "ERROR_UNKNOWN: reason")


def test_the_trailers_stay_below_what_reaches_every_client() -> None:
    many = InvalidRequest([invalid(f"query.filter[{n}]", "é" * 500) for n in range(100)])

    _, _, trailing = status_of(many)

    assert sum(len(key) + len(value) for key, value in trailing) < 4096
    assert rich_status(many).message.endswith("…")


def test_an_overload_says_when_to_come_again() -> None:
    _, _, trailing = status_of(Overloaded("reason"))

    assert dict(trailing)["grpc-retry-pushback-ms"] == "1000"
