"""What a call carries of the HTTP request it came as."""

from __future__ import annotations

import time

import pytest
from starlette.datastructures import Headers

from inventory_job.errors import InvalidRequest
from inventory_job.transport.http.context import deadline_of, metadata_of


def sent(*headers: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in headers])


def seconds_left(*headers: tuple[str, str]) -> float:
    deadline = deadline_of(sent(*headers))
    assert deadline is not None
    return deadline.at - time.monotonic()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (("token", "abc"), ("token", "abc")),
        (("authorization", "Bearer abc"), ("token", "abc")),
        (("authorization", "bearer  abc "), ("token", "abc")),
        (("x-domain-id", "domain-1"), ("x_domain_id", "domain-1")),
        (("x_domain_id", "domain-1"), ("x_domain_id", "domain-1")),
        (("x-workspace-id", "workspace-1"), ("x_workspace_id", "workspace-1")),
        (("x_workspace_id", "workspace-1"), ("x_workspace_id", "workspace-1")),
        (("traceparent", "00-1-2-01"), ("traceparent", "00-1-2-01")),
    ],
    ids=lambda pair: pair[0],
)
def test_headers_are_call_metadata(header: tuple[str, str], expected: tuple[str, str]) -> None:
    assert list(metadata_of(sent(header))) == [expected]


def test_other_headers_are_no_metadata() -> None:
    others = sent(("authorization", "Basic abc"), ("cookie", "token=abc"), ("host", "a"))

    assert list(metadata_of(others)) == []


def test_a_header_given_twice_is_passed_on_twice() -> None:
    given = sent(("token", "a"), ("authorization", "Bearer b"))

    assert list(metadata_of(given)) == [("token", "a"), ("token", "b")]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (("grpc-timeout", "2H"), 7200),
        (("grpc-timeout", "2M"), 120),
        (("grpc-timeout", "00000030S"), 30),
        (("grpc-timeout", "30000m"), 30),
        (("grpc-timeout", "30000000u"), 30),
        (("grpc-timeout", "99999999n"), 0.099999999),
        (("x-request-timeout", "30"), 30),
        (("x-request-timeout", "0.5"), 0.5),
    ],
    ids=lambda value: "=".join(value) if isinstance(value, tuple) else "",
)
def test_a_timeout_is_the_deadline(header: tuple[str, str], seconds: float) -> None:
    left = seconds_left(header)

    assert left == pytest.approx(seconds, abs=0.05)


def test_the_least_of_several_timeouts_counts() -> None:
    left = seconds_left(("grpc-timeout", "90S"), ("x-request-timeout", "5"))

    assert left == pytest.approx(5, abs=0.05)


def test_without_a_timeout_there_is_no_deadline() -> None:
    assert deadline_of(sent()) is None


def test_a_deadline_that_has_passed_leaves_no_time() -> None:
    assert seconds_left(("grpc-timeout", "0S")) <= 0


@pytest.mark.parametrize("name", ["grpc-timeout", "x-request-timeout"])
@pytest.mark.parametrize(
    "value", ["", "0", "S", "-1", "1s", "1e3", "123456789S", "nan", "1 S", "٣"]
)
def test_a_timeout_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        deadline_of(sent((name, value)))

    assert raised.value.problems[0].path == name
