"""Every knob: typed, described, from the environment, an `.env` style file or the command line.

Values are read once, by the composition root, and passed in; nothing is read at import.
The environment variable of a setting is its name in capitals behind `INVENTORY_JOB_`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from inventory_job.query.limits import Limits


class Settings(BaseSettings):
    """Configuration of one server process. Raises pydantic.ValidationError on a bad value."""

    model_config = SettingsConfigDict(
        env_prefix="INVENTORY_JOB_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
    )

    host: str = Field("127.0.0.1", description="Address the gRPC server listens on.")
    port: int = Field(
        50051, ge=0, le=65535, description="Port of the gRPC server; 0 picks a free one."
    )
    threads: int = Field(8, ge=1, le=256, description="Threads that answer calls.")
    grace_seconds: float = Field(
        10.0, ge=0, description="How long running calls may go on after SIGTERM, in seconds."
    )
    max_request_bytes: int = Field(
        4 * 1024 * 1024, ge=1024, description="Largest request message accepted, in bytes."
    )
    max_response_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, description="Largest response message sent, in bytes."
    )

    mongo_uri: SecretStr | None = Field(
        None, description="MongoDB connection string; none starts the embedded database."
    )
    mongo_database: str = Field(
        "inventory", min_length=1, description="Database that holds the job collection."
    )
    data_dir: Path | None = Field(
        None, description="Data of the embedded database; default: the user's data directory."
    )
    server_selection_seconds: float = Field(
        5.0, gt=0, description="How long to look for a usable database before UNAVAILABLE."
    )
    query_seconds: float = Field(
        20.0,
        gt=0,
        description="Longest time one call may keep the database busy; its deadline shortens it.",
    )
    create_indexes: bool | None = Field(
        None,
        description="Create the indexes in the background at start; "
        "default: only on the embedded database.",
    )

    auth_mode: Literal["none"] = Field("none", description="How callers are authenticated.")
    default_domain_id: str | None = Field(
        None, min_length=1, description="Mode none: the domain of calls that name none."
    )
    allow_remote_without_auth: bool = Field(
        False, description="Mode none: allow listening on an address other than loopback."
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log entries shown."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Log lines; auto is console on a terminal and json elsewhere."
    )

    limits: Limits = Field(default_factory=Limits, description="Limits on one request.")
