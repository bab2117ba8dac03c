"""`inventory-job open`: the page with the jobs that filters select, or with one job."""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from inventory_job.cli.client import options
from inventory_job.cli.client.calls import JOB_ENUMS, CallFailed, Connection, ExitCode
from inventory_job.cli.client.filters import Condition
from inventory_job.cli.client.periods import iso, now
from inventory_job.cli.client.queries import Request, Selection
from inventory_job.cli.client.session import configured
from inventory_job.query.times import parse_iso, parse_relative

_PORT = 8080
_SORTED = frozenset(
    {
        "job_id",
        "status",
        "plugin_id",
        "collector_id",
        "workspace_id",
        "created_at",
        "finished_at",
        "total_tasks",
        "failure_tasks",
    }
)
"""The fields that the page can sort by; it sorts by one at a time."""

_IDS = {"plugin_id": "plugin", "collector_id": "collector", "workspace_id": "workspace"}
_MILLISECOND = timedelta(milliseconds=1)
_TIME = "timediff_"


class NotOnPage(ValueError):
    """A filter or sort order that the page does not support."""


@configured
def open_page(
    connection: Connection,
    job_id: Annotated[str | None, typer.Argument(help="One job, instead of filters.")] = None,
    filters: options.Filters = None,
    any_filters: options.AnyFilters = None,
    keyword: options.Keyword = "",
    sort: options.Sort = None,
    page: Annotated[
        str | None,
        typer.Option(
            envvar="INVENTORY_JOB_PAGE",
            help=f"Address of the page; default: port {_PORT} of the endpoint's host.",
        ),
    ] = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="Only print the address, as without a terminal.")
    ] = False,
) -> None:
    """Open the page with the jobs that filters select, or with one job; print its address."""
    selected, keys = options.selection(filters, any_filters, keyword), options.sorting(sort)
    if job_id is not None and (selected != Selection() or keys):
        raise typer.BadParameter("a job goes without filters", param_hint="JOB_ID")
    try:
        view = {"view": "job", "job": job_id} if job_id is not None else jobs_view(selected, keys)
    except NotOnPage as error:
        raise CallFailed(ExitCode.USAGE, str(error)) from error
    address = f"{(page or _address(connection)).rstrip('/')}/#{_fragment(connection, view)}"
    typer.echo(address)
    if sys.stdout.isatty() and not only_print and not webbrowser.open(address):
        typer.echo("inventory-job: there is no browser here that could be opened", err=True)


def jobs_view(selected: Selection, keys: Sequence[Request]) -> dict[str, str]:
    """The parameters in the URL of the page that lists these jobs; raises NotOnPage."""
    if selected.alternatives:
        raise NotOnPage("--any has no place in the page's address")
    found: dict[str, str] = {}
    for condition in selected.conditions:
        name, value = _member(condition)
        if found.setdefault(name, value) != value:
            raise NotOnPage(f"two filters are of {condition['key']}")
    if selected.keyword and found.setdefault("q", selected.keyword) != selected.keyword:
        raise NotOnPage("--keyword and a filter are both of job_id")
    if keys:
        if len(keys) > 1 or keys[0]["key"] not in _SORTED:
            raise NotOnPage(f"the page sorts by one of {', '.join(sorted(_SORTED))}")
        found["sort"] = f"{'-' if keys[0]['desc'] else ''}{keys[0]['key']}"
    return {"view": "jobs", **found}


_BOUNDS: Mapping[str, tuple[str, timedelta]] = MappingProxyType(
    {
        "gte": ("from", timedelta()),
        "gt": ("from", _MILLISECOND),
        "lt": ("to", timedelta()),
        "lte": ("to", _MILLISECOND),
    }
)
"""For each bound on created_at the URL parameter, and what to add to the time: on the page, `from`
is inclusive and `to` exclusive."""


def _member(condition: Condition) -> tuple[str, str]:
    """The URL parameter that is equivalent to `condition`."""
    key, operator, value = condition["key"], condition["operator"], condition["value"]
    values = value if isinstance(value, list) else [value]
    if key == "status" and operator in {"eq", "in"} and set(JOB_ENUMS["status"]).issuperset(values):
        return "status", ",".join(values)
    if key in _IDS and operator == "eq":
        # Empty selects jobs without this id.
        return _IDS[key], value or ""
    if (key, operator) == ("job_id", "contain"):
        return "q", value
    if (key, operator, value) == ("finished_at", "not", None):
        return "finished", "1"
    if key == "created_at" and (bound := _BOUNDS.get(operator.removeprefix(_TIME))):
        name, moved = bound
        return name, iso(_time(operator, value, moved))
    written = json.dumps(value, ensure_ascii=False)
    raise NotOnPage(f"the page has no filter for {key} with {operator} {written}")


def _time(operator: str, value: str, moved: timedelta) -> datetime:
    try:
        time = parse_relative(value, now()) if operator.startswith(_TIME) else parse_iso(value)
        return time + moved
    except ValueError as error:
        raise NotOnPage(f"{value!r} is {error}") from error
    except OverflowError as error:
        raise NotOnPage("the page has no time after the year 9999") from error


def _fragment(connection: Connection, view: Mapping[str, str]) -> str:
    whose = {"domain": connection.domain_id, "workspace": connection.workspace_id}
    members = {name: value for name, value in whose.items() if value}
    if members.get("workspace", view.get("workspace")) != view.get(
        "workspace", members.get("workspace")
    ):
        raise CallFailed(ExitCode.USAGE, "--workspace and a filter are of two workspaces")
    members |= view
    # Commas and colons need no escapes in a fragment, and are easier to read without.
    return urlencode(members, safe=",:", quote_via=quote)


def _address(connection: Connection) -> str:
    """The page's default URL, derived from the endpoint."""
    host, _, port = connection.endpoint.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise CallFailed(ExitCode.USAGE, "--page says where the page is; the endpoint has no host")
    return f"{'https' if connection.tls else 'http'}://{host}:{_PORT}"
