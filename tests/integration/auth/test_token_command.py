"""`inventory-job token`: key pairs and tokens that the server takes."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from inventory_job.auth.callers import Caller
from inventory_job.auth.keys import KeyFile
from inventory_job.auth.tokens import TokenAuthenticator, TokenRules
from inventory_job.cli.main import app
from inventory_job.errors import Unauthenticated
from tests.support.key_sources import Apps


def token(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["token", *map(str, arguments)])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the keys of two domains."""
    made = tmp_path_factory.mktemp("made") / "keys"
    for domain in ("domain-1", "domain-2"):
        done = token("keys", "--domain-id", domain, "--directory", made)
        assert done.stdout == f"{made / f'{domain}.pem'}\n{made / 'keys.json'}\n"
    return made


def caller_of(directory: Path, text: str, *metadata: tuple[str, str]) -> Caller:
    rules = TokenRules(system_domain_id="domain-1")
    authenticator = TokenAuthenticator(KeyFile(directory / "keys.json"), rules=rules)
    return asyncio.run(authenticator.authenticate([("token", text), *metadata]))


def signed(directory: Path, *arguments: str) -> str:
    key = directory / "domain-1.pem"
    done = token("sign", "--key", key, "--domain-id", "domain-1", *arguments)
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def test_private_keys_are_readable_by_their_owner_alone(directory: Path) -> None:
    for name in ("domain-1.pem", "domain-2.pem"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600


def test_the_key_file_holds_the_public_part_of_every_domains_key(directory: Path) -> None:
    keys = json.loads((directory / "keys.json").read_text())

    assert set(keys) == {"domain-1", "domain-2"}
    assert all("d" not in jwk for jwk in keys.values())


def test_a_domains_key_is_replaced_only_with_force(tmp_path: Path) -> None:
    command = ("keys", "--domain-id", "domain-1", "--directory", tmp_path)
    assert token(*command).exit_code == 0
    before = (tmp_path / "keys.json").read_text()

    refused = token(*command)
    assert refused.exit_code == 2
    assert "--force replaces it" in refused.stderr
    assert (tmp_path / "keys.json").read_text() == before

    assert token(*command, "--force").exit_code == 0
    assert (tmp_path / "keys.json").read_text() != before


def test_a_public_key_whose_private_part_is_elsewhere_is_replaced_only_with_force(
    tmp_path: Path,
) -> None:
    command = ("keys", "--domain-id", "domain-1", "--directory", tmp_path)
    assert token(*command).exit_code == 0
    before = (tmp_path / "keys.json").read_text()
    (tmp_path / "domain-1.pem").unlink()

    refused = token(*command)
    assert refused.exit_code == 2
    assert "keys.json has a key of domain-1 already; --force replaces it" in refused.stderr
    assert (tmp_path / "keys.json").read_text() == before
    assert not (tmp_path / "domain-1.pem").exists()

    assert token(*command, "--force").exit_code == 0
    assert (tmp_path / "keys.json").read_text() != before


@pytest.mark.parametrize("domain", ["../x", "", "a/b", ".x", "a b"])
def test_a_domain_id_that_would_be_another_path_is_refused(tmp_path: Path, domain: str) -> None:
    directory = tmp_path / "keys"

    assert token("keys", "--domain-id", domain, "--directory", directory).exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"notes", b"\xff", b'{"keys": []}'], ids=repr)
def test_a_file_that_holds_no_keys_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(content)

    refused = token("keys", "--domain-id", "domain-1", "--directory", tmp_path)

    assert refused.exit_code == 2
    assert isinstance(refused.exception, SystemExit)
    assert refused.stderr.startswith("inventory-job: cannot write the keys: ")
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
    assert file.read_bytes() == content


def test_a_directory_in_the_place_of_the_key_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "keys.json").mkdir()

    refused = token("keys", "--domain-id", "domain-1", "--directory", tmp_path)

    assert refused.exit_code == 2
    assert "Is a directory" in refused.stderr


def test_a_key_can_be_made_where_all_have_been_taken_out(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")

    assert token("keys", "--domain-id", "domain-1", "--directory", tmp_path).exit_code == 0


def test_a_users_token_has_the_role_asked_for(directory: Path) -> None:
    text = signed(
        directory, "--role", "WORKSPACE_MEMBER", "--workspace-id", "ws-1", "--permission", "a",
        "--permission", "b",
    )  # fmt: skip

    assert caller_of(directory, text) == Caller(
        "domain-1", "ws-1", "WORKSPACE_MEMBER", permissions=("a", "b")
    )


@pytest.mark.parametrize("role", ["USER", "SYSTEM_ADMIN"])
def test_a_token_of_a_role_that_may_call_nothing_can_be_had(directory: Path, role: str) -> None:
    assert caller_of(directory, signed(directory, "--role", role)) == Caller("domain-1", role=role)


def test_a_system_token_is_for_every_tenant(directory: Path) -> None:
    caller = caller_of(directory, signed(directory, "--system"), ("x_domain_id", "domain-9"))

    assert caller == Caller("domain-9", system=True)


def test_an_apps_token_is_asked_about_at_identity(directory: Path) -> None:
    apps = Apps(("inventory:Job.read",))
    text = signed(directory, "--role", "DOMAIN_ADMIN", "--client-id", "client-1")

    authenticator = TokenAuthenticator(KeyFile(directory / "keys.json"), apps.check)

    assert asyncio.run(authenticator.authenticate([("token", text)])) == Caller(
        "domain-1", role="DOMAIN_ADMIN", permissions=("inventory:Job.read",)
    )
    assert apps.checked == [("domain-1", "client-1")]


def test_an_apps_token_has_the_permissions_asked_for_where_there_is_no_identity(
    directory: Path,
) -> None:
    role = ("--role", "WORKSPACE_OWNER", "--workspace-id", "ws-1")
    text = signed(directory, *role, "--client-id", "client-1", "--permission", "inventory:Job")

    assert caller_of(directory, text) == Caller(
        "domain-1", "ws-1", "WORKSPACE_OWNER", permissions=("inventory:Job",)
    )


def test_a_token_is_good_for_its_domain_alone(directory: Path) -> None:
    key = directory / "domain-2.pem"
    forged = token("sign", "--key", key, "--domain-id", "domain-1", "--role", "DOMAIN_ADMIN")

    with pytest.raises(Unauthenticated):
        caller_of(directory, forged.stdout.strip())


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--role", "DOMAIN_ADMIN", "--system"],
        ["--role", "WORKSPACE_OWNER"],
        ["--role", "DOMAIN_ADMIN", "--workspace-id", "ws-1"],
        ["--system", "--permission", "inventory:Job"],
        ["--system", "--client-id", "client-1"],
        ["--client-id", "client-1"],
        ["--role", "DOMAIN_ADMIN", "--client-id", "a/b"],
        ["--role", "KING"],
        ["--role", "DOMAIN_ADMIN", "--hours", "0"],
        ["--role", "DOMAIN_ADMIN", "--hours", "inf"],
        ["--role", "DOMAIN_ADMIN", "--hours", "nan"],
        ["--role", "USER", "--workspace-id", "ws-1"],
        ["--role", "WORKSPACE_OWNER", "--workspace-id", ""],
        ["--role", "WORKSPACE_OWNER", "--workspace-id", "*"],
        ["--role", "DOMAIN_ADMIN", "--domain-id", ""],
    ],
    ids=" ".join,
)
def test_options_that_do_not_fit_together_are_refused(
    directory: Path, arguments: list[str]
) -> None:
    key = directory / "domain-1.pem"

    refused = token("sign", "--key", key, "--domain-id", "domain-1", *arguments)

    assert refused.exit_code == 2
    assert isinstance(refused.exception, SystemExit)
    assert refused.stdout == ""


@pytest.mark.parametrize("name", ["keys.json", "missing.pem", ".", "junk.pem"])
def test_a_file_that_is_no_private_key_is_refused(directory: Path, name: str) -> None:
    (directory / "junk.pem").write_bytes(b"\xff\xfe")
    key = directory / name

    refused = token("sign", "--key", key, "--domain-id", "domain-1", "--role", "DOMAIN_ADMIN")

    assert refused.exit_code == 2
    assert f"cannot sign with {key}" in refused.stderr
    assert isinstance(refused.exception, SystemExit)
