"""Settings as operators write them: what is taken; what is not is refused in one sentence."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from unittest.mock import patch

import pytest
import typer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inventory_job.cli.options import read_settings
from inventory_job.query.limits import Limits
from inventory_job.settings import Settings

NAMES = [
    *(name for name in Settings.model_fields),
    *(f"limits__{name}" for name in Limits.model_fields),
]

JUNK = st.one_of(
    st.sampled_from(
        ["", " ", ",", "[", "{", "[]", "{}", "null", "[1]", '[""]', '{"a": 1}', "true", "0", "-1"]
    ),
    st.sampled_from(
        ["nan", "inf", "-inf", "1e308", "9" * 400, "[" * 10_000, "~", "~nobody-here/x"]
    ),
    st.sampled_from(["*", "http://a.example/", "tcp://10.0.0.1:50051", "a b", "a\nb", "\udcff"]),
    # An environment has no NUL, and what is no UTF-8 in it comes as lone surrogates.
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20),
)


def refusal(name: str, value: str) -> str | None:
    """What is said about the variable of a setting, None if it is taken. Anything but the exit
    status 2 fails."""
    shown, status = io.StringIO(), 0
    with patch.dict("os.environ", {f"INVENTORY_JOB_{name.upper()}": value}), redirect_stderr(shown):
        try:
            read_settings()
        except typer.Exit as ended:
            status = ended.exit_code
    assert status == (2 if shown.getvalue() else 0)
    return shown.getvalue() or None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=20, deadline=None)
@given(value=JUNK)
@example(value="")
@example(value="{")
@example(value="[" * 10_000)
@example(value="inf")
@example(value="~nobody-here/x")
def test_junk_in_a_setting_is_refused_in_one_sentence_that_names_it(name: str, value: str) -> None:
    said = refusal(name, value)

    if said is not None:
        assert said.count("\n") == 1
        assert said.startswith("inventory-job: setting ")
        assert name.replace("__", ".") in said
        assert "Traceback" not in said


@pytest.mark.parametrize("name", [n for n in Settings.model_fields if n.endswith("_seconds")])
@pytest.mark.parametrize("value", ["nan", "inf", "1e300"])
def test_a_time_without_an_end_is_refused(name: str, value: str) -> None:
    assert name in (refusal(name, value) or "")


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("http://a.example", ("http://a.example",)),
        (
            "http://a.example, https://b.example:8443",
            ("http://a.example", "https://b.example:8443"),
        ),
        ('["http://a.example", "*"]', ("http://a.example", "*")),
        ("[]", ()),
        ("*", ("*",)),
        # As browsers write them.
        ("HTTPS://A.example:443", ("https://a.example",)),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
    ],
)
def test_origins_are_taken_as_text_with_commas_or_as_json(
    written: str, taken: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVENTORY_JOB_HTTP_CORS_ORIGINS", written)

    assert read_settings().http_cors_origins == taken


@pytest.mark.parametrize(
    "written",
    [
        "a.example",
        "ftp://a.example",
        "http://",
        "http://a.example/",
        "http://a.example/path",
        "http://a.example?q",
        "http://a.example#f",
        "http://user@a.example",
        "http://a.example:port",
        "http://a.example:70000",
        "http://a b.example",
        "null",
    ],
)
def test_what_is_no_origin_is_refused(written: str) -> None:
    assert refusal("http_cors_origins", f"http://ours.example,{written}") == (
        f"inventory-job: setting http_cors_origins: {written!r} is no origin: http:// or https://, "
        "a host and, if need be, a port, without a path; or * for all\n"
    )


@pytest.mark.parametrize("name", ["http_cors_origins", "http_hosts"])
@pytest.mark.parametrize("written", ["", "*,", '["*", ""]'])
def test_an_empty_list_or_entry_is_refused(name: str, written: str) -> None:
    assert refusal(name, written) == (
        f"inventory-job: setting {name}: it is empty, or one of its entries is; without the "
        "setting there is none\n"
    )


@pytest.mark.parametrize("written", ["jobs.example,::1", '["jobs.example", "[::1]"]'])
def test_hosts_are_taken_as_text_with_commas_or_as_json(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVENTORY_JOB_HTTP_HOSTS", written)

    assert read_settings().http_hosts == ("jobs.example", "::1")


@pytest.mark.parametrize("written", ["", "[", "5", "[]", "stages=5"])
def test_limits_that_are_no_dictionary_are_refused(written: str) -> None:
    assert (refusal("limits", written) or "").startswith("inventory-job: setting limits: ")


def test_limits_are_taken_as_json_and_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVENTORY_JOB_LIMITS", '{"stages": 5, "names": 6}')
    monkeypatch.setenv("INVENTORY_JOB_LIMITS__NAMES", "7")

    limits = read_settings().limits
    assert (limits.stages, limits.names) == (5, 7)


@pytest.mark.parametrize(
    ("name", "beside"),
    [
        ("data_dir", {}),
        ("auth_key_file", {"auth_mode": "jwt"}),
        (
            "identity_token_file",
            {"auth_mode": "identity", "identity_endpoint": "grpc://identity:50051"},
        ),
        (
            "identity_ca_file",
            {
                "auth_mode": "identity",
                "identity_endpoint": "grpc+ssl://identity:50051",
                "identity_token": "t",
            },
        ),
        ("tls_certificate_file", {"tls_key_file": "key.pem"}),
        ("tls_key_file", {"tls_certificate_file": "certificate.pem"}),
        (
            "tls_client_ca_file",
            {"tls_certificate_file": "certificate.pem", "tls_key_file": "key.pem"},
        ),
    ],
)
def test_a_path_may_begin_with_the_home_directory(
    name: str, beside: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")

    read = read_settings(**beside, **{name: "~/there"})

    assert getattr(read, name) == Path("/home/operator/there")


@pytest.mark.parametrize(
    "name", [n for n in Settings.model_fields if n.endswith(("_file", "_dir"))]
)
def test_an_empty_path_is_refused(name: str) -> None:
    assert refusal(name, "") == f"inventory-job: setting {name}: it is empty, not a path\n"
