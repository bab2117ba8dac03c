"""docs/operations.md names every metric and every entry of the log, and no others."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from inventory_job.settings import Settings
from tests.support.documents import ROOT, page
from tests.support.running import server_of
from tests.support.serving import RETRYING, list_jobs

PAGE = page("docs/operations.md")
DASHBOARD = ROOT / "deploy" / "grafana" / "inventory-job.json"
SOURCES = [
    path for path in (ROOT / "src" / "inventory_job").rglob("*.py") if "stubs" not in path.parts
]
LEVELS = {"debug", "info", "warning", "error"}
GIVEN_BY_PROMETHEUS = {"job", "instance"}

_NAME = re.compile(r"\b(?:inventory_job|process)_[a-z_]+\b")
_QUOTED = re.compile(r"`([^`]+)`")


def names(cell: str) -> frozenset[str]:
    return frozenset(_QUOTED.findall(cell))


# Clients


def test_clients_that_retry_do_as_documented() -> None:
    [documented] = PAGE.of_kind("json service-config")

    assert json.loads(documented.text) == RETRYING


# Metrics


@pytest.fixture(scope="module")
def scraped() -> str:
    """What a server tells that was asked for something; its database is away."""
    settings = Settings(
        port=0,
        http=True,
        http_port=0,
        mongo_uri=SecretStr("mongodb://127.0.0.1:1/"),
        server_selection_seconds=0.05,
    )
    with server_of(settings) as server:
        with grpc.insecure_channel(server.address) as channel, pytest.raises(grpc.RpcError):
            list_jobs(channel)
        return httpx.get(f"http://{server.http_address}/metrics", follow_redirects=True).text


def metrics(text: str) -> dict[str, tuple[str, frozenset[str]]]:
    """The type and the labels of every metric, by its name in queries."""
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels}
        found[name] = (family.type, frozenset(labels - {"le"}))
    return found


def queryable(text: str) -> dict[str, frozenset[str]]:
    """The labels that queries may name, by the names of series."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return {name: frozenset(labels | GIVEN_BY_PROMETHEUS) for name, labels in found.items()}


def test_every_metric_is_documented_with_its_type_and_labels(scraped: str) -> None:
    documented = {
        name: (kind, names(labels))
        for cell, kind, labels, _ in PAGE.rows("metrics")
        for name in names(cell)
    }

    assert documented == metrics(scraped)


def dashboard_queries() -> Iterator[tuple[str, str]]:
    """Expressions and what the legend shows of their results."""
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"], ""


def labels_of(query: str, legend: str) -> set[str]:
    grouped = [
        label for group in re.findall(r"by \(([^)]*)\)", query) for label in group.split(",")
    ]
    selected = re.findall(r"[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)", query)
    return {label.strip() for label in [*grouped, *selected, *re.findall(r"{{(\w+)}}", legend)]}


def test_every_query_of_the_dashboard_finds_its_metrics_and_labels(scraped: str) -> None:
    known = queryable(scraped)

    for query, legend in dashboard_queries():
        queried = _NAME.findall(query)
        assert queried, query
        assert set(queried) <= known.keys(), query
        for name in queried:
            assert labels_of(query, legend) <= known[name], query


def test_every_metric_that_an_alert_names_is_there(scraped: str) -> None:
    section = PAGE.text.partition("### Alerts")[2].partition("\n## ")[0]

    queried = _NAME.findall(section)

    assert queried
    assert set(queried) <= queryable(scraped).keys() | metrics(scraped).keys()


# The log


def texts(node: ast.AST) -> frozenset[str]:
    """The literal texts that an expression may be."""
    return frozenset(
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def fields(call: ast.Call, module: ast.Module) -> frozenset[str]:
    """The names of what a call is given by keyword; also those of a dictionary that a function of
    the same module makes."""
    found = {keyword.arg for keyword in call.keywords if keyword.arg}
    for spread in (keyword.value for keyword in call.keywords if not keyword.arg):
        assert isinstance(spread, ast.Call)
        assert isinstance(spread.func, ast.Name)
        made = spread.func.id
        [function] = [
            node for node in module.body if isinstance(node, ast.FunctionDef) and node.name == made
        ]
        [members] = [node for node in ast.walk(function) if isinstance(node, ast.Dict)]
        found |= {name for key in members.keys if key is not None for name in texts(key)}
    return frozenset(found)


def calls(module: ast.Module, method: str) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            if name == method:
                yield node


def is_logger(node: ast.expr) -> bool:
    """`self._log`, `log` or `structlog.get_logger(…)`."""
    match node:
        case ast.Attribute(attr="_log") | ast.Name(id="log"):
            return True
        case ast.Call(func=ast.Attribute(attr="get_logger")):
            return True
    return False


def entries(module: ast.Module, method: str) -> Iterator[ast.Call]:
    for call in calls(module, method):
        if isinstance(call.func, ast.Attribute) and is_logger(call.func.value):
            yield call


def logged() -> set[tuple[str, frozenset[str], frozenset[str]]]:
    """Event, levels and fields of every entry that the sources can make."""
    found = set()
    for path in SOURCES:
        module = ast.parse(path.read_text(encoding="utf-8"))
        for level in LEVELS:
            for call in entries(module, level):
                for event in texts(call.args[0]):
                    found.add((event, frozenset({level}), fields(call, module)))
        for call in entries(module, "log"):
            for event in texts(call.args[1]):
                levels = frozenset(
                    node.attr.lower()
                    for node in ast.walk(call.args[0])
                    if isinstance(node, ast.Attribute)
                )
                found.add((event, levels, fields(call, module)))
    return found


def test_every_entry_of_the_log_is_documented_with_its_level_and_fields() -> None:
    documented = {
        (event, frozenset(levels.split(", ")), names(of))
        for cell, levels, of, _ in PAGE.rows("events")
        for event in names(cell)
    }

    assert documented == logged()


def test_what_entries_carry_besides_is_documented() -> None:
    carried = {"exception", "logger"}
    for path in SOURCES:
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in ("configure_logging", "bind_contextvars"):
            for call in calls(module, function):
                carried |= {keyword.arg for keyword in call.keywords if keyword.arg}

    documented = {name for cell, *_ in PAGE.rows("fields") for name in names(cell)}

    assert documented == carried
