"""The settings of the server, from the environment, an `.env` style file or the command line.

The composition root reads them once and passes them on; nothing is read at import. The environment
variable of a setting is `INVENTORY_JOB_` and its name in upper case.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from inventory_job.query.limits import Limits
from inventory_job.setting_values import Host, Hosts, Location, MessageBytes, Origins, Port, Seconds

_MODES: Mapping[str, tuple[str, ...]] = {
    "default_domain_id": ("none",),
    "allow_remote_without_auth": ("none",),
    "auth_key_file": ("jwt",),
    "identity_endpoint": ("identity",),
    "identity_ca_file": ("identity",),
    "identity_token": ("identity",),
    "identity_token_file": ("identity",),
    "identity_seconds": ("identity",),
    "key_cache_seconds": ("identity",),
    "identity_lookups_per_second": ("identity",),
    "token_leeway_seconds": ("jwt", "identity"),
    "system_domain_id": ("jwt", "identity"),
}
"""The settings that apply only in some modes, with the values of auth_mode that allow them."""


class CannotStart(Exception):
    """The server cannot start as configured; the message says why, and what is needed."""


class InvalidSetting(CannotStart):
    """A setting has a value with which no server can start, on any machine."""


class Settings(BaseSettings):
    """Configuration of one server process. Raises pydantic.ValidationError on a bad value."""

    model_config = SettingsConfigDict(
        env_prefix="INVENTORY_JOB_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    host: Host = Field("127.0.0.1", description="Address the gRPC server listens on.")
    port: Port = Field(50051, description="Port of the gRPC server; 0 picks a free one.")
    http: bool = Field(True, description="Serve HTTP and the pages as well.")
    http_host: Host | None = Field(
        None, description="Address the HTTP server listens on; default: that of gRPC."
    )
    http_port: Port = Field(8080, description="Port of the HTTP server; 0 picks a free one.")
    http_cors_origins: Origins = Field(
        (),
        description="Origins whose pages may call over HTTP, with commas between them or as a JSON "
        "list; `*` is all.",
    )
    http_hosts: Hosts = Field(
        (),
        description="Names that HTTP requests may be for (header Host), with commas between them "
        "or as a JSON list, beside localhost and the address they come to. In mode none no others "
        "are; else, without any, all are unless the server listens on loopback.",
    )
    held_calls: int = Field(
        256,
        ge=8,
        le=10_000,
        description="Calls held at a time, from their message until the answer is taken; more are "
        "refused. While others want some, a tenant and a connection have at most half each, a "
        "tenant on one connection a quarter.",
    )
    running_calls: int = Field(
        32,
        ge=1,
        le=1000,
        description="Calls that run at a time, half of them on one connection; others wait.",
    )
    tenant_running_calls: int = Field(
        8,
        ge=1,
        le=1000,
        description="Calls of one tenant that run at a time, half of them on one connection; "
        "fewer for a while after slow work, while others call.",
    )
    wait_seconds: Seconds = Field(
        5.0, description="How long a call may wait to run before it is refused, in seconds."
    )
    connections: int = Field(
        1000, ge=1, le=100_000, description="Connections to each port at a time."
    )
    unread_seconds: Seconds = Field(
        20.0,
        gt=0,
        description="After how long a connection over HTTP is aborted whose client takes nothing "
        "of an answer, in seconds.",
    )
    request_seconds: Seconds = Field(
        10.0,
        gt=0,
        description="How long a client may take to send a request over HTTP, in seconds.",
    )
    connection_seconds: Seconds = Field(
        600.0, ge=1, description="Age at which a client has to make a new connection, in seconds."
    )
    grace_seconds: Seconds = Field(
        10.0, description="How long running calls may go on after SIGTERM, in seconds."
    )
    max_request_bytes: MessageBytes = Field(
        4 * 1024 * 1024, description="Largest request message accepted, in bytes."
    )
    max_response_bytes: MessageBytes = Field(
        64 * 1024 * 1024, description="Largest response message sent, in bytes."
    )

    mongo_uri: SecretStr | None = Field(
        None, description="MongoDB connection string; none starts the embedded database."
    )
    mongo_database: str = Field(
        "inventory",
        min_length=1,
        max_length=63,
        description="Database that holds the job collection.",
    )
    data_dir: Location | None = Field(
        None, description="Data of the embedded database; default: the user's data directory."
    )
    server_selection_seconds: Seconds = Field(
        5.0, gt=0, description="How long to look for a usable database before UNAVAILABLE."
    )
    query_seconds: Seconds = Field(
        20.0,
        gt=0,
        description="Longest time one call may keep the database busy; its deadline shortens it.",
    )
    slow_query_seconds: Seconds = Field(
        1.0,
        description="Calls that keep the database busy for longer are logged, with the shape of "
        "their query; 0 logs none.",
    )
    totals: int = Field(
        1000,
        ge=0,
        description="Totals of lists kept, so that repeated lists need no counting; 0 counts "
        "each time.",
    )
    create_indexes: bool | None = Field(
        None,
        description="Create the indexes in the background at start; "
        "default: only on the embedded database.",
    )

    auth_mode: Literal["none", "jwt", "identity"] = Field(
        "none",
        description="How callers are authenticated: none, by tokens and the keys in a file (jwt), "
        "or by tokens and the keys of the identity service (identity).",
    )
    default_domain_id: str | None = Field(
        None, min_length=1, description="Mode none: the domain of calls that name none."
    )
    allow_remote_without_auth: bool = Field(
        False, description="Mode none: allow listening on an address other than loopback."
    )
    auth_key_file: Location | None = Field(
        None,
        validate_default=True,
        description="Mode jwt: the public keys, `{domain_id: jwk}` or a JWKS; read again when it "
        "has changed.",
    )
    identity_endpoint: str | None = Field(
        None,
        validate_default=True,
        description="Mode identity: the identity service, `grpc://host:port`, or "
        "`grpc+ssl://host:port` for TLS.",
    )
    identity_ca_file: Location | None = Field(
        None, description="Mode identity: certificates to trust with TLS; default: gRPC's own."
    )
    identity_token: SecretStr | None = Field(
        None, description="Mode identity: this server's own system token."
    )
    identity_token_file: Location | None = Field(
        None,
        validate_default=True,
        description="Mode identity: a file with that token instead, read at every use.",
    )
    identity_seconds: Seconds = Field(
        3.0, gt=0, description="Mode identity: longest time one call to it may take."
    )
    key_cache_seconds: Seconds = Field(
        300.0, ge=1, description="Mode identity: how long keys and apps' permissions are kept."
    )
    identity_lookups_per_second: float = Field(
        5.0,
        gt=0,
        le=1000,
        description="Mode identity: look-ups there per second and process that tokens of domains "
        "whose key is not known may cause, all together; four times as many for a moment.",
    )
    token_leeway_seconds: float = Field(
        10.0, ge=0, le=300, description="How much a token's times may be off."
    )
    system_domain_id: str = Field(
        "domain-root",
        min_length=1,
        description="The one domain whose system tokens are accepted; `*` accepts every domain's.",
    )

    tls_certificate_file: Location | None = Field(
        None, description="Certificate chain of the port (PEM); none serves without TLS."
    )
    tls_key_file: Location | None = Field(
        None, validate_default=True, description="Key of the certificate (PEM)."
    )
    tls_client_ca_file: Location | None = Field(
        None,
        validate_default=True,
        description="Serve only clients with a certificate of these (mutual TLS).",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log entries shown."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Log lines; auto is console on a terminal and json elsewhere."
    )

    tracing: bool = Field(
        False,
        description="Send OpenTelemetry traces; needs the extra otel. OTEL_EXPORTER_OTLP_ENDPOINT "
        "and the other standard variables say where.",
    )

    limits: Limits = Field(default_factory=Limits, description="Limits on one request.")

    @field_validator(*_MODES)
    @classmethod
    def _fits_the_mode(cls, value: Any, info: ValidationInfo) -> Any:
        """Rejects settings that have no effect in the chosen mode, because they would look active.
        A setting's default value is accepted in every mode."""
        name, chosen = str(info.field_name), info.data.get("auth_mode")
        modes = _MODES[name]
        if value is None and chosen in modes and name in ("auth_key_file", "identity_endpoint"):
            raise ValueError(f"auth_mode {chosen} needs it")
        is_default = value == cls.model_fields[name].default
        if not is_default and chosen is not None and chosen not in modes:
            raise ValueError(f"it is for auth_mode {' or '.join(modes)}, and auth_mode is {chosen}")
        return value

    @field_validator("identity_token_file")
    @classmethod
    def _one_identity_token(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        given = (value is not None) + (info.data.get("identity_token") is not None)
        if given > 1:
            raise ValueError("identity_token is given as well")
        if not given and info.data.get("auth_mode") == "identity":
            raise ValueError("auth_mode identity needs it, or identity_token")
        return value

    @field_validator("tls_key_file", "tls_client_ca_file")
    @classmethod
    def _has_a_certificate(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        has_certificate = info.data.get("tls_certificate_file") is not None
        if value is not None and not has_certificate:
            raise ValueError("it needs tls_certificate_file")
        if value is None and has_certificate and info.field_name == "tls_key_file":
            raise ValueError("tls_certificate_file needs it")
        return value
