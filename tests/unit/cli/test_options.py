"""What commands refuse before they read any setting."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from inventory_job.cli.main import ENTRIES
from inventory_job.cli.options import has_password, misspelt, read_settings
from inventory_job.settings import Settings


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://user:secret@db.example/",
        "mongodb://user:@db.example/",
        "mongodb+srv://user:se%40cret@db.example/inventory?tls=true",
        "mongodb://user:se/cr@et@db.example:27017/",
        "user:secret@db.example",
        "mongodb://db.example/?tlsCertificateKeyFilePassword=secret",
        "mongodb://k@db.example/?authMechanismProperties=AWS_SESSION_TOKEN:secret",
    ],
)
def test_a_password_in_a_connection_string_is_found(uri: str) -> None:
    assert has_password(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "localhost:27017",
        "mongodb://127.0.0.1:27017/",
        "mongodb://a.example:27017,b.example:27017/inventory?replicaSet=rs",
        "mongodb://[::1]:27017/",
        "mongodb://user@db.example:27017/?authMechanism=MONGODB-X509",
        "mongodb://db.example:27017/?appName=a@b:c",
    ],
)
def test_a_connection_string_without_a_password_is_let_through(uri: str) -> None:
    assert not has_password(uri)


def test_a_password_among_the_options_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(typer.Exit) as raised:
        read_settings(mongo_uri="mongodb://user:secret@db.example/")

    assert raised.value.exit_code == 2
    shown = capsys.readouterr().err
    assert "INVENTORY_JOB_MONGO_URI" in shown
    assert "secret" not in shown


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("INVENTORY_JOB_AUTH_MOD", "INVENTORY_JOB_AUTH_MODE"),
        ("INVENTORY_JOB_AUTHMODE", "INVENTORY_JOB_AUTH_MODE"),
        ("inventory_job_total", "INVENTORY_JOB_TOTALS"),
        ("INVENTORY_JOB_TLS_CLIENT_CA", "INVENTORY_JOB_TLS_CLIENT_CA_FILE"),
        ("INVENTORY_JOB_SYSTEM_DOMAIN", "INVENTORY_JOB_SYSTEM_DOMAIN_ID"),
        ("INVENTORY_JOB_LIMITS__STAGE", "INVENTORY_JOB_LIMITS__STAGES"),
        ("INVENTORY_JOB_LIMITS_STAGES", "INVENTORY_JOB_LIMITS__STAGES"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_found(variable: str, nearest: str) -> None:
    assert misspelt({variable: "1"}) == {variable: nearest}


def test_settings_and_what_others_put_there_are_let_through() -> None:
    settings = [f"INVENTORY_JOB_{name.upper()}" for name in Settings.model_fields]
    cluster = ["SERVICE_HOST", "SERVICE_PORT_GRPC", "PORT_50051_TCP_ADDR", "HTTP_SERVICE_PORT"]
    others = [f"INVENTORY_JOB_{name}" for name in (*cluster, "TEST_MONGO_URI")]
    found = dict.fromkeys([*settings, *others, "inventory_job_limits__stages", "PATH", "HOME"], "1")

    assert misspelt(found) == {}


def test_the_variables_of_commands_are_let_through() -> None:
    found = {name for entry in ENTRIES for name in variables(entry.load())}

    assert "INVENTORY_JOB_ENDPOINT" in found
    assert misspelt(dict.fromkeys(found, "1")) == {}


def variables(command: Any) -> set[str]:
    """The environment variables of a command and those under it."""
    below = [variables(each) for each in getattr(command, "commands", {}).values()]
    return {option.envvar for option in command.params if option.envvar}.union(*below)


def test_a_misspelt_variable_is_refused_with_the_nearest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INVENTORY_JOB_AUTH_MOD", "jwt")

    with pytest.raises(typer.Exit) as raised:
        read_settings()

    assert raised.value.exit_code == 2
    assert capsys.readouterr().err == (
        "inventory-job: INVENTORY_JOB_AUTH_MOD is no setting, INVENTORY_JOB_AUTH_MODE is\n"
    )
