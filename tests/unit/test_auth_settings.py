"""Settings of authentication and TLS that do not fit together are refused, secrets unseen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from inventory_job.settings import Settings

IDENTITY: dict[str, Any] = {"auth_mode": "identity", "identity_endpoint": "grpc://identity:50051"}


def complaints(**given: Any) -> dict[str, str]:
    """What is said about each setting."""
    with pytest.raises(ValidationError) as raised:
        Settings(**given)
    return {
        ".".join(str(part) for part in each["loc"]): each["msg"].removeprefix("Value error, ")
        for each in raised.value.errors()
    }


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"auth_mode": "jwt"}, {"auth_key_file": "auth_mode jwt needs it"}),
        (
            {"auth_key_file": "keys.json"},
            {"auth_key_file": "it is for auth_mode jwt, and auth_mode is none"},
        ),
        (
            {"identity_endpoint": "grpc://identity:50051"},
            {"identity_endpoint": "it is for auth_mode identity, and auth_mode is none"},
        ),
        (
            {"auth_mode": "identity", "identity_token": "t"},
            {"identity_endpoint": "auth_mode identity needs it"},
        ),
        (IDENTITY, {"identity_token_file": "auth_mode identity needs it, or identity_token"}),
        (
            IDENTITY | {"identity_token": "t", "identity_token_file": "f"},
            {"identity_token_file": "identity_token is given as well"},
        ),
        (
            {"auth_mode": "jwt", "auth_key_file": "k", "default_domain_id": "d"},
            {"default_domain_id": "it is for auth_mode none, and auth_mode is jwt"},
        ),
        (
            IDENTITY | {"identity_token": "t", "allow_remote_without_auth": True},
            {"allow_remote_without_auth": "it is for auth_mode none, and auth_mode is identity"},
        ),
        (
            {"auth_mode": "jwt", "auth_key_file": "k", "identity_token": "t"},
            {"identity_token": "it is for auth_mode identity, and auth_mode is jwt"},
        ),
        (
            {"identity_ca_file": "c", "identity_token_file": "t", "identity_seconds": 2.0},
            dict.fromkeys(
                ("identity_ca_file", "identity_token_file", "identity_seconds"),
                "it is for auth_mode identity, and auth_mode is none",
            ),
        ),
        (
            {"key_cache_seconds": 301.0},
            {"key_cache_seconds": "it is for auth_mode identity, and auth_mode is none"},
        ),
        (
            {"system_domain_id": "d", "token_leeway_seconds": 0},
            dict.fromkeys(
                ("system_domain_id", "token_leeway_seconds"),
                "it is for auth_mode jwt or identity, and auth_mode is none",
            ),
        ),
        ({"tls_certificate_file": "c"}, {"tls_key_file": "tls_certificate_file needs it"}),
        ({"tls_key_file": "k"}, {"tls_key_file": "it needs tls_certificate_file"}),
        ({"tls_client_ca_file": "c"}, {"tls_client_ca_file": "it needs tls_certificate_file"}),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_with_the_reason(
    given: dict[str, Any], complaint: dict[str, str]
) -> None:
    assert complaints(**given) == complaint


def test_an_unknown_mode_is_refused_by_itself() -> None:
    assert set(complaints(auth_mode="jtw", auth_key_file="keys.json")) == {"auth_mode"}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"default_domain_id": "d", "allow_remote_without_auth": True},
        {"identity_seconds": 3.0, "system_domain_id": "domain-root"},
        {"auth_mode": "jwt", "auth_key_file": "keys.json"},
        {"auth_mode": "jwt", "auth_key_file": "k", "allow_remote_without_auth": False},
        {"auth_mode": "jwt", "auth_key_file": "k", "default_domain_id": None},
        {"auth_mode": "jwt", "auth_key_file": "k", "system_domain_id": "*"},
        IDENTITY | {"identity_token": "t", "key_cache_seconds": 9, "token_leeway_seconds": 0},
        IDENTITY | {"identity_token": "t"},
        IDENTITY | {"identity_token_file": "f"},
        {"tls_certificate_file": "c", "tls_key_file": "k", "tls_client_ca_file": "a"},
    ],
)
def test_settings_that_fit_together_are_taken(given: dict[str, Any]) -> None:
    assert Settings(**given).auth_mode == given.get("auth_mode", "none")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "*",
        "jobs.example:8080",
        "http://jobs.example",
        "jobs.example/",
        "a b",
        "[::1",
        "[]",
        "-a",
    ],
)
def test_what_is_no_name_of_a_host_is_refused(name: str) -> None:
    complaint = complaints(http_hosts=(name,))["http_hosts"]

    assert complaint == f"{name!r} is no host's name or address (without a port)"


def test_names_of_hosts_are_taken_in_the_forms_they_are_known_in() -> None:
    given = ("Jobs.example", "localhost", "a_b-1", "10.0.0.7", "fd00::7", "[FD00:0::8]")
    taken = ("jobs.example", "localhost", "a_b-1", "10.0.0.7", "fd00::7", "fd00::8")

    assert Settings(http_hosts=given).http_hosts == taken


def test_secrets_do_not_show() -> None:
    given = {"identity_token": "secret-1", "mongo_uri": "mongodb://user:secret-2@db.example/"}
    settings = Settings(**IDENTITY | given)

    assert "secret" not in repr(settings)
    assert "secret" not in settings.model_dump_json()
