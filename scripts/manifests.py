"""Render the chart and check the manifests against the schemas of Kubernetes, without a cluster.

Without values files: with those that the chart's `ci` folder has, each on top of the defaults.
Custom resources, whose schemas a cluster gets from their makers, are rendered and not checked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

from inventory_job.query.limits import Limits
from inventory_job.settings import Settings

CHART = Path(__file__).resolve().parent.parent / "deploy" / "chart"
SCHEMA = CHART / "values.schema.json"
KUBERNETES_VERSIONS = ("1.27", "1.37")
"""The oldest that the chart installs on and the newest that there are schemas of."""
CUSTOM_KINDS = frozenset({"ServiceMonitor", "GRPCRoute"})
RELEASE = "inventory-job"

GIVEN_BY_THE_CHART = frozenset(
    {
        "auth_key_file",
        "data_dir",
        "host",
        "http",
        "http_host",
        "http_port",
        "identity_ca_file",
        "identity_token",
        "identity_token_file",
        "limits",
        "log_format",
        "mongo_uri",
        "port",
        "tls_certificate_file",
        "tls_client_ca_file",
        "tls_key_file",
    }
)
"""Settings that are secrets, files in the pod or its address: the chart has values for them."""

Manifest = dict[str, Any]


def setting_names() -> list[str]:
    """The settings that may stand below `settings` in the chart's values, limits last."""
    names = [name for name in Settings.model_fields if name not in GIVEN_BY_THE_CHART]
    return names + [f"limits__{name}" for name in Limits.model_fields]


def update_schema() -> None:
    """Writes the names of the settings into the schema of the chart's values."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    schema["properties"]["settings"]["propertyNames"]["enum"] = setting_names()
    SCHEMA.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def read_values(path: Path) -> dict[str, Any]:
    """The values in a file; none in an empty one."""
    values: dict[str, Any] | None = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values or {}


def render(values: Mapping[str, Any]) -> list[Manifest]:
    """The manifests of the chart with `values` on top of its defaults; raises
    helm_python.HelmError when Helm, the schema or the chart refuses them."""
    with helm_python.Chart.load(str(CHART)) as chart:
        chart.validate_schema(chart.merge_values(dict(values)))
        files = chart.render(dict(values), name=RELEASE, namespace="cloudforet")
    return [
        manifest
        for name, text in sorted(files.items())
        if name.endswith(".yaml")
        for manifest in yaml.safe_load_all(text)
        if manifest is not None
    ]


def problems(manifests: list[Manifest]) -> list[str]:
    """What the schemas of Kubernetes do not allow, for a person to read."""
    import kubernetes_validate  # noqa: PLC0415 - takes seconds, and not all that import this check

    found = []
    for manifest in manifests:
        if manifest["kind"] in CUSTOM_KINDS:
            continue
        for version in KUBERNETES_VERSIONS:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                where = ".".join(str(part) for part in error.path)
                found.append(
                    f"{manifest['kind']} {manifest['metadata']['name']}, Kubernetes {version}: "
                    f"{where}: {error.message}"
                )
    return found


def lint() -> list[str]:
    """What `helm lint --strict` finds besides information."""
    report = helm_python.lint(str(CHART), read_values(CHART / "values.yaml"), strict=True)
    return [
        f"{message['path']}: {message['error']}"
        for message in report["messages"]
        if message["severity"] > 1
    ]


def check(path: Path) -> list[str]:
    """Everything wrong with the chart as the values in a file make it."""
    try:
        manifests = render(read_values(path))
    except helm_python.HelmError as error:
        return [str(error)]
    return problems(manifests)


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 1 when anything is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/manifests", description=__doc__)
    parser.add_argument("values", nargs="*", type=Path, help="values files, each by itself")
    parser.add_argument("--update", action="store_true", help="write the settings to the schema")
    options = parser.parse_args(arguments)
    if options.update:
        update_schema()
    wrong = lint()
    for path in options.values or sorted((CHART / "ci").glob("*.yaml")):
        found = check(path)
        print(f"{path.name}: {f'{len(found)} problems' if found else 'fits'}")
        wrong += found
    for problem in wrong:
        print(problem, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
