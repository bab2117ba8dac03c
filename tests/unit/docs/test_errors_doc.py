"""The page about errors has every code, with the statuses that the code gives it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from inventory_job import errors
from inventory_job.auth.lookups import Unanswered
from inventory_job.errors import Code, InvalidRequest, Problem, ServiceError
from inventory_job.transport.grpc.interceptor import status_of
from inventory_job.transport.http.status import (
    NoSuchPath,
    NotServed,
    RequestTooLarge,
    http_status,
)
from tests.support.documents import ROOT, page

PAGE = page("docs/errors.md")

FAILURES: list[ServiceError] = [
    errors.QueryRefused("reason"),
    errors.QueryFailed("reason"),
    errors.Misconfigured("reason"),
    errors.NotFound("job-1"),
    errors.Unauthenticated("reason"),
    errors.PermissionDenied("reason"),
    errors.Unavailable("reason"),
    errors.RequestTimeout(),
    errors.TooLarge("response", 1),
    errors.Overloaded("reason"),
    errors.Unexpected("reference"),
    Unanswered("reason"),
    NoSuchPath("/path"),
    RequestTooLarge(1),
]
"""One of each class, but for the requests that are refused: these may have any other code."""

REFUSED = [
    InvalidRequest(Problem(code, "path", "message"))
    for code in Code
    if code not in {failure.code for failure in FAILURES}
]


def classes(base: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    for inner in base.__subclasses__():
        yield inner
        yield from classes(inner)


def test_every_class_of_failures_is_looked_at() -> None:
    ours = {each for each in classes() if each.__module__.startswith("inventory_job.")}

    assert ours == {*map(type, FAILURES), InvalidRequest, NotServed}


def test_every_code_is_in_the_table_with_its_statuses() -> None:
    statuses, over_http = defaultdict(set), defaultdict(set)
    for failure in [*FAILURES, *REFUSED]:
        statuses[str(failure.code)].add(status_of(failure)[0].name)
        over_http[str(failure.code)].add(str(http_status(failure)))

    described = {
        code.strip("`"): (set(status.split(", ")), set(http.split(", ")))
        for code, status, http, _, _ in PAGE.rows("codes")
    }

    assert described == {code: (statuses[code], over_http[code]) for code in map(str, Code)}


def test_every_code_has_a_sentence_on_what_to_do() -> None:
    assert all(re.fullmatch(r"[A-Z].{15,}\.", cells[4]) for cells in PAGE.rows("codes"))


def test_every_status_that_http_alone_has_is_in_its_table() -> None:
    described = {cells[0] for cells in PAGE.rows("http")}
    sources = (ROOT / "src/inventory_job/transport/http").glob("*.py")
    given = {
        status
        for path in sources
        for status in re.findall(r"NotServed\(\s*(\d+)", path.read_text(encoding="utf-8"))
    }

    # 405 is the routes' own; 400 has any other bad request.
    assert described == given - {"400"} | {"405"}
