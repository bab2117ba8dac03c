"""The OpenAPI document says what the descriptors and the comments say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from inventory_job.query.limits import Limits
from inventory_job.stubs.spaceone.api.core.v2 import query_pb2
from inventory_job.stubs.spaceone.api.inventory.v1 import job_pb2
from inventory_job.transport.http.messages import message_of

SERVICE = job_pb2.DESCRIPTOR.services_by_name["Job"]
DOCUMENT: dict[str, Any] = json.loads(
    files("inventory_job.stubs").joinpath("openapi.json").read_text(encoding="utf-8")
)
SCHEMAS = DOCUMENT["components"]["schemas"]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "$ref":
                yield member
            yield from references(member)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_it_is_valid_openapi() -> None:
    # Takes seconds to load, which each worker would do that collects this file.
    from openapi_spec_validator import validate

    validate(DOCUMENT)


def test_it_has_the_routes_of_the_service_and_no_others() -> None:
    assert list(DOCUMENT["paths"]) == [f"/inventory/v1/job/{rpc.name}" for rpc in SERVICE.methods]


def test_every_reference_leads_somewhere_in_the_document() -> None:
    for reference in references(DOCUMENT):
        found: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]


@pytest.mark.parametrize("message", [job_pb2.JobInfo, job_pb2.JobsQuery, query_pb2.Query])
def test_a_schema_has_the_fields_of_its_message(message: Any) -> None:
    schema = SCHEMAS[message.DESCRIPTOR.name]

    assert list(schema["properties"]) == [field.name for field in message.DESCRIPTOR.fields]
    assert schema["additionalProperties"] is False


def test_enums_are_their_names() -> None:
    assert SCHEMAS["JobInfo.Status"]["enum"] == [
        "NONE",
        "FAILURE",
        "CANCELED",
        "IN_PROGRESS",
        "SUCCESS",
    ]


def test_free_values_are_free() -> None:
    properties = SCHEMAS["Query"]["properties"]

    assert properties["lookup"] == {"type": "array", "items": {}} | described(properties["lookup"])
    assert properties["add_fields"]["additionalProperties"] is True
    assert set(SCHEMAS["Filter"]["properties"]["value"]) <= {"description"}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": schema["description"]}


def test_of_two_spellings_one_may_be_given() -> None:
    assert {"not": {"required": ["key", "k"]}} in SCHEMAS["Filter"]["allOf"]
    assert SCHEMAS["StatisticsAggregate"]["maxProperties"] == 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (DOCUMENT["info"], "A job is one run of a collector."),
        (DOCUMENT["paths"]["/inventory/v1/job/get"]["post"], "Returns one job."),
        (SCHEMAS["JobInfo"], "One job."),
        (SCHEMAS["JobInfo"]["properties"]["created_at"], "Times are ISO 8601"),
        (SCHEMAS["JobInfo.Status"], "`FAILURE`: Also stands for"),
        (SCHEMAS["Filter"]["properties"]["k"], "Name of a stored field"),
    ],
    ids=["service", "method", "message", "field", "enum value", "oneof"],
)
def test_descriptions_are_the_comments_in_proto(place: dict[str, Any], said: str) -> None:
    assert said in place["description"]


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_every_method_has_examples_that_are_requests(method: MethodDescriptor) -> None:
    operation = DOCUMENT["paths"][f"/inventory/v1/job/{method.name}"]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]

    assert examples
    for example in examples.values():
        sent = message_of(
            json.dumps(example["value"]).encode(),
            GetMessageClass(method.input_type),
            Limits().values,
        )
        assert example["value"] == json_format.MessageToDict(sent, preserving_proto_field_name=True)


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_failures_are_google_rpc_status(method: MethodDescriptor) -> None:
    responses = DOCUMENT["paths"][f"/inventory/v1/job/{method.name}"]["post"]["responses"]

    assert {"400", "401", "403", "429", "default"} <= responses.keys()
    assert ("404" in responses) == (method.name in {"get", "delete"})
    assert references_of(DOCUMENT["components"]["responses"]["400"]) == [
        "#/components/headers/x-request-id",
        "#/components/schemas/google.rpc.Status",
    ]


def references_of(value: Any) -> list[str]:
    return list(references(value))


@pytest.mark.parametrize("method", list(SERVICE.methods), ids=lambda method: method.name)
def test_the_example_of_an_answer_is_one(method: MethodDescriptor) -> None:
    content = DOCUMENT["paths"][f"/inventory/v1/job/{method.name}"]["post"]["responses"]["200"][
        "content"
    ]

    example = content["application/json"]["example"]
    message = GetMessageClass(method.output_type)()
    json_format.ParseDict(example, message)
    assert "-2147483648" not in json.dumps(DOCUMENT["paths"])
