"""The log of a running server: one JSON object a line, levels by signal, and ids of traces."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.support.serving import Serving, list_jobs, probe

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
    # Nobody listens there, and the exporter complains.
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
