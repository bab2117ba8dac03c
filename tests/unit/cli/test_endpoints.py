"""How people write where a server is."""

from __future__ import annotations

import pytest

from inventory_job.cli.endpoints import InvalidEndpoint, parse_endpoint


@pytest.mark.parametrize(
    ("text", "target", "tls"),
    [
        ("jobs.example:50051", "jobs.example:50051", False),
        ("http://jobs.example:50051", "jobs.example:50051", False),
        ("http://jobs.example:50051/", "jobs.example:50051", False),
        ("grpc://127.0.0.1:50051", "127.0.0.1:50051", False),
        ("GRPC://[::1]:50051", "[::1]:50051", False),
        ("https://jobs.example:443", "jobs.example:443", True),
        ("grpcs://jobs.example:443", "jobs.example:443", True),
        ("grpc+ssl://jobs.example:443", "jobs.example:443", True),
        ("dns:///jobs.example:50051", "dns:///jobs.example:50051", False),
        ("unix:///run/jobs.sock", "unix:///run/jobs.sock", False),
    ],
)
def test_an_endpoint_is_a_host_and_a_port_or_a_url(text: str, target: str, tls: bool) -> None:
    assert parse_endpoint(text, tls=False) == (target, tls)


def test_tls_can_be_asked_for_beside_it() -> None:
    assert parse_endpoint("jobs.example:50051", tls=True) == ("jobs.example:50051", True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://jobs.example:50051", "ftp:// is unknown"),
        ("http://jobs.example", "HOST:PORT"),
        ("grpc://jobs.example:50051/inventory", "HOST:PORT"),
        ("grpc://user@jobs.example:50051", "HOST:PORT"),
    ],
)
def test_other_endpoints_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidEndpoint, match=reason):
        parse_endpoint(text, tls=False)


def test_a_url_without_tls_and_tls_contradict_each_other() -> None:
    with pytest.raises(InvalidEndpoint, match="--tls"):
        parse_endpoint("http://jobs.example:50051", tls=True)
