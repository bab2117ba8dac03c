"""The log of a running server: one JSON object a line, levels by signal, and ids of traces."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.support.serving import Serving, list_jobs, probe
from tests.support.tokens import Issuer, key_file_text

HEALTH = "/grpc.health.v1.Health/Check"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = (("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),)
LEVEL_CHANGED = "log level changed"


def changed(running: Serving, number: signal.Signals) -> dict[str, Any]:
    """Sends the signal; what the server says to it."""
    running.process.send_signal(number)
    return running.await_entry(LEVEL_CHANGED)


def levels_logged(running: Serving) -> list[tuple[str, str]]:
    """Level and method of the lines about a probe and a call after it, of one process."""
    before = len(running.entries)
    with running.channel() as channel:
        probe(channel)
        list_jobs(channel)
    while running.await_entry("call")["method"] == HEALTH:
        pass
    return [
        (entry["level"], entry["method"])
        for entry in running.entries[before:]
        if entry["event"] == "call"
    ]


def test_sigusr1_shows_debug_entries_until_sigusr2(mongo_uri: str) -> None:
    job = ("info", "/spaceone.api.inventory.v1.Job/list")
    with Serving(mongo_uri) as running:
        assert levels_logged(running) == [job]

        # Twice is as good as once.
        for _ in range(2):
            assert changed(running, signal.SIGUSR1)["log_level"] == "debug"
        assert levels_logged(running) == [("debug", HEALTH), job]

        assert changed(running, signal.SIGUSR2)["log_level"] == "info"
        assert levels_logged(running) == [job]


def test_lines_name_the_trace_of_their_call_and_those_of_libraries_are_json(
    mongo_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens there, and the exporter complains.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with Serving(mongo_uri, tracing=True, slow_query_seconds=1e-9) as running:
        with running.channel() as channel:
            list_jobs(channel, CALLER)

        lines = [running.await_entry("slow_query"), running.await_entry("call")]
        running.read_to_the_end()

    assert {line["trace_id"] for line in lines} == {TRACE}
    assert {line["domain_id"] for line in lines} == {"domain-1"}
    assert len({line["span_id"] for line in lines}) == 1
    assert "opentelemetry" in {
        str(entry.get("logger")).partition(".")[0] for entry in running.entries
    }


def test_options_of_the_uri_that_the_driver_does_not_know_are_entries(mongo_uri: str) -> None:
    uri = f"{mongo_uri}&retryReadz=true&maxIdleTimeMS=soon"
    with Serving(uri) as serving:
        # A line that is no entry fails this.
        serving.read_to_the_end()

    warnings = [
        str(entry["event"])
        for entry in serving.entries
        if (entry["level"], entry.get("logger")) == ("warning", "UserWarning")
    ]
    assert len(warnings) == 2
    assert sum("Unknown option: retryreadz" in reason for reason in warnings) == 1
    assert sum("maxidletimems" in reason for reason in warnings) == 1


def test_refused_calls_are_logged_with_their_domain(mongo_uri: str, tmp_path: Path) -> None:
    issuer = Issuer("domain-1")
    keys = tmp_path / "keys.json"
    keys.write_text(key_file_text(issuer))
    settings = {"auth_mode": "jwt", "auth_key_file": keys, "http": True, "http_port": 0}
    with Serving(mongo_uri, **settings) as running:
        with running.channel() as channel, pytest.raises(grpc.RpcError):
            list_jobs(channel, (("token", issuer.token("USER")),))
        url = f"http://{running.http_address}/inventory/v1/job/list"
        for role, content_type in ("USER", "application/json"), ("DOMAIN_ADMIN", "text/plain"):
            headers = {"token": issuer.token(role), "content-type": content_type}
            httpx.post(url, headers=headers, content="{}")
        # A token that is no good names no domain, which does not stay from the call before.
        httpx.post(url, headers={"token": "x", "content-type": "application/json"}, content="{}")

        entries = [running.await_entry("call") for _ in range(4)]

    assert [(entry["status"], entry.get("domain_id")) for entry in entries] == [
        ("PERMISSION_DENIED", "domain-1"),
        ("PERMISSION_DENIED", "domain-1"),
        ("INVALID_ARGUMENT", "domain-1"),
        ("UNAUTHENTICATED", None),
    ]
