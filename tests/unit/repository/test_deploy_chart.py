"""The chart's manifests: valid, hardened, and naming nothing that the server does not have."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
import yaml

from inventory_job.cli.health import health
from inventory_job.settings import Settings

helm = pytest.importorskip("helm_python", reason="no wheel of it for this platform")

from manifests import (  # noqa: E402 - only where Helm is
    CHART,
    SCHEMA,
    Manifest,
    check,
    lint,
    read_values,
    render,
    setting_names,
)

VALUES = sorted((CHART / "ci").glob("*.yaml"))
EXAMPLES = pytest.mark.parametrize("name", [path.stem for path in VALUES])
SERVICE = "spaceone.api.inventory.v1.Job"
PREFIX = "INVENTORY_JOB_"
EXTRA_SECONDS = 10.0
"""What a server has for its end beyond the grace period."""


def rendered(name: str, **more: Any) -> dict[str, list[Manifest]]:
    """The manifests of an example by kind, with some values replaced."""
    manifests = render(read_values(CHART / "ci" / f"{name}.yaml") | more)
    return {
        kind: [manifest for manifest in manifests if manifest["kind"] == kind]
        for kind in {manifest["kind"] for manifest in manifests}
    }


def pod(manifests: dict[str, list[Manifest]]) -> dict[str, Any]:
    spec: dict[str, Any] = manifests["Deployment"][0]["spec"]["template"]["spec"]
    return spec


def environment(manifests: dict[str, list[Manifest]]) -> dict[str, Any]:
    """Every variable of the container: its value, or where the value is from."""
    given = {entry["name"]: entry for entry in pod(manifests)["containers"][0]["env"]}
    values = {name: entry.get("value", entry.get("valueFrom")) for name, entry in given.items()}
    return {**manifests["ConfigMap"][0]["data"], **values}


@EXAMPLES
def test_the_schemas_of_kubernetes_accept_what_is_rendered(name: str) -> None:
    assert check(CHART / "ci" / f"{name}.yaml") == []


def test_helm_finds_nothing_to_complain_about() -> None:
    assert lint() == []


@EXAMPLES
@pytest.mark.usefixtures("no_settings")
def test_every_variable_is_a_setting_with_a_value_that_it_takes(name: str) -> None:
    variables = environment(rendered(name))
    own = {key.removeprefix(PREFIX): variables[key] for key in variables if key.startswith(PREFIX)}
    plain: dict[str, Any] = {}
    for key, value in own.items():
        setting, _, member = key.lower().partition("__")
        given = value if isinstance(value, str) else "mongodb://from.a.secret/"
        if member:
            plain.setdefault(setting, {})[member] = given
        else:
            plain[setting] = given

    settings = Settings(**plain)

    assert settings.model_fields_set == plain.keys()


def test_the_schema_of_the_values_knows_every_setting() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))

    named = schema["properties"]["settings"]["propertyNames"]["enum"]

    assert named == setting_names(), "run scripts/manifests --update"


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(helm.HelmError, match="thread"):
        render({"settings": {"thread": 8}})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"settings": {"auth_mode": "jwt", "identity_endpoint": None}}, "jwt.secret.name"),
        ({"settings": {"auth_mode": "none"}}, "allow_remote_without_auth"),
        (
            {"settings": {"auth_mode": "jwt"}, "jwt": {"secret": {"name": "keys"}}},
            "identity_endpoint is for",
        ),
        ({"settings": {"grace_seconds": 25}}, "terminationSeconds"),
        ({"terminationSeconds": 20}, "terminationSeconds"),
        ({"tls": {"secretName": "tls"}}, "do not speak TLS"),
        ({"tls": {"clientCaKey": "ca.crt"}}, "needs tls.secretName"),
        (
            {"tls": {"secretName": "tls", "clientCaKey": "ca.crt"}, "probes": {"kind": "http"}},
            "shows no certificate",
        ),
        ({"tls": {"secretName": "tls"}, "probes": {"kind": "exec"}}, "exec.serverName"),
        (
            {
                "tls": {"secretName": "tls", "clientCaKey": "ca.crt"},
                "probes": {"kind": "exec", "exec": {"serverName": "inventory.example"}},
            },
            "exec.clientSecretName",
        ),
        (
            {"probes": {"kind": "exec", "exec": {"clientSecretName": "probe"}}},
            "needs tls.secretName",
        ),
        (
            {
                "tls": {"secretName": "tls"},
                "probes": {"kind": "http"},
                "serviceMonitor": {"enabled": True},
            },
            "serviceMonitor.tlsConfig",
        ),
        ({"http": {"enabled": False}, "probes": {"kind": "http"}}, "needs http.enabled"),
        ({"http": {"enabled": False}, "serviceMonitor": {"enabled": True}}, "needs http.enabled"),
        ({"route": {"enabled": True}}, "route.parentRefs"),
    ],
    ids=[
        "jwt",
        "none",
        "identity without its mode",
        "grace",
        "termination",
        "grpc probes with tls",
        "mutual tls",
        "http probes with mutual tls",
        "exec probes with tls",
        "exec probes with mutual tls",
        "exec probes with a certificate and no tls",
        "metrics with tls",
        "http probes",
        "metrics",
        "route",
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(helm.HelmError, match=reason):
        render(values)


@EXAMPLES
def test_the_container_has_no_rights_that_it_does_not_need(name: str) -> None:
    spec = pod(rendered(name))
    container = spec["containers"][0]

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@EXAMPLES
def test_a_service_of_the_same_name_does_not_become_a_setting(name: str) -> None:
    assert pod(rendered(name))["enableServiceLinks"] is False


@EXAMPLES
def test_secrets_come_by_reference_and_none_is_made(name: str) -> None:
    manifests = rendered(name)

    assert "Secret" not in manifests
    assert environment(manifests)[f"{PREFIX}MONGO_URI"] == {
        "secretKeyRef": {"name": "inventory-job-mongo", "key": "uri"}
    }
    assert f"{PREFIX}IDENTITY_TOKEN" not in environment(manifests)


def test_files_named_in_settings_are_mounted() -> None:
    for name in ("identity-values", "jwt-tls-values"):
        manifests = rendered(name)
        mounts = [mount["mountPath"] for mount in pod(manifests)["containers"][0]["volumeMounts"]]
        files = [
            value
            for key, value in environment(manifests).items()
            if key.startswith(PREFIX) and key.endswith("_FILE")
        ]

        assert files
        assert all(any(file.startswith(f"{mount}/") for mount in mounts) for file in files)


def test_certificates_of_mongodb_are_where_the_uri_looks_for_them() -> None:
    spec = pod(rendered("identity-values"))
    [volume] = [volume for volume in spec["volumes"] if volume["name"] == "mongo-ca"]
    [mount] = [
        mount for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == "mongo-ca"
    ]

    [item] = volume["secret"]["items"]

    file = f"{mount['mountPath']}/{item['path']}"
    assert f"tlsCAFile={file};" in (CHART / "values.yaml").read_text(encoding="utf-8")


def test_grpc_probes_ask_the_process_for_liveness_and_the_job_service_for_readiness() -> None:
    container = pod(rendered("small-values"))["containers"][0]

    assert container["livenessProbe"]["grpc"] == {"port": 50051}
    assert container["readinessProbe"]["grpc"] == {"port": 50051, "service": SERVICE}


def test_http_probes_ask_for_the_same() -> None:
    container = pod(rendered("identity-values"))["containers"][0]

    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize(("secret", "scheme"), [("", "HTTP"), ("inventory-job-tls", "HTTPS")])
def test_http_probes_speak_tls_when_the_port_does(secret: str, scheme: str) -> None:
    manifests = rendered("identity-values", tls={"secretName": secret}, serviceMonitor={})
    container = pod(manifests)["containers"][0]

    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["scheme"] == scheme


def test_exec_probes_show_a_certificate_where_tls_is_mutual() -> None:
    container = pod(rendered("jwt-tls-values"))["containers"][0]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    commands = {
        probe: container[f"{probe}Probe"]["exec"]["command"]
        for probe in ("startup", "liveness", "readiness")
    }

    options = dict(option.partition("=")[::2] for option in commands["readiness"][2:])

    assert options.pop("--service") == SERVICE
    assert {command[2] for command in commands.values()} == {"--service=", f"--service={SERVICE}"}
    assert commands["startup"] == commands["liveness"]
    names = {option.removeprefix("--").replace("-", "_") for option in options}
    assert names <= inspect.signature(health).parameters.keys()
    files = [value for option, value in options.items() if option.endswith("-file")]
    assert len(files) == 3
    assert all(any(file.startswith(f"{mount}/") for mount in mounts) for file in files)


def test_a_stopping_pod_outlives_its_drain_and_the_grace_of_its_calls() -> None:
    spec = pod(rendered("small-values"))
    drain = int(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])

    grace = Settings.model_fields["grace_seconds"].default

    assert spec["terminationGracePeriodSeconds"] > drain + grace + EXTRA_SECONDS


def test_the_headless_service_and_the_monitor_select_the_pods() -> None:
    manifests = rendered("identity-values")
    labels = manifests["Deployment"][0]["spec"]["template"]["metadata"]["labels"]

    headless = next(
        service for service in manifests["Service"] if service["spec"].get("clusterIP") == "None"
    )
    monitored = manifests["ServiceMonitor"][0]["spec"]

    assert headless["spec"]["selector"].items() <= labels.items()
    assert monitored["selector"]["matchLabels"].items() <= labels.items()
    ports = {port["name"] for service in manifests["Service"] for port in service["spec"]["ports"]}
    assert {endpoint["port"] for endpoint in monitored["endpoints"]} <= ports


def test_metrics_are_scraped_with_tls_when_the_port_has_it() -> None:
    [plain] = rendered("identity-values")["ServiceMonitor"][0]["spec"]["endpoints"]
    [secure] = rendered("jwt-tls-values")["ServiceMonitor"][0]["spec"]["endpoints"]

    assert "scheme" not in plain
    assert secure["scheme"] == "https"
    assert secure["tlsConfig"]["serverName"] == "inventory.example"


@pytest.mark.parametrize(
    ("name", "ports"),
    [("identity-values", {53, 27017, 50051, 4317}), ("jwt-tls-values", {53, 27017})],
)
def test_the_network_policy_lets_pods_reach_what_they_need(name: str, ports: set[int]) -> None:
    rules = rendered(name)["NetworkPolicy"][0]["spec"]["egress"]

    assert {port["port"] for rule in rules for port in rule["ports"]} == ports


def test_the_route_takes_the_job_service_and_leaves_the_rest() -> None:
    taken, others = rendered("identity-values")["GRPCRoute"][0]["spec"]["rules"]

    assert taken["matches"] == [{"method": {"service": SERVICE}}]
    assert taken["backendRefs"] == [{"name": "inventory-job", "port": 50051}]
    assert others == {"backendRefs": [{"name": "inventory-backend", "port": 50051}]}


def test_the_envoy_example_takes_the_job_service_and_leaves_the_rest() -> None:
    path = CHART.parent / "examples" / "envoy.yaml"
    resources = yaml.safe_load(path.read_text(encoding="utf-8"))["static_resources"]
    manager = resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]

    routes = manager["route_config"]["virtual_hosts"][0]["routes"]

    chosen = [(route["match"]["prefix"], route["route"]["cluster"]) for route in routes]
    assert chosen == [(f"/{SERVICE}/", "inventory-job"), ("/", "inventory-backend")]
