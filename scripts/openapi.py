"""The OpenAPI document of the service: from its descriptors and the comments in proto/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from comments import comments_of
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from openapi_samples import ANSWERS, FAILURES
from openapi_schemas import Comments, Schema, components, schema_of

from inventory_job import __version__
from inventory_job.embedded.demo_data import LARGEST_TENANT

Members = dict[str, Any]

_ERRORS: Mapping[str, str] = {
    "400": "The request is wrong: INVALID_ARGUMENT. The details name each field to blame.",
    "401": "No caller could be established: UNAUTHENTICATED.",
    "403": "The caller may not do this: PERMISSION_DENIED.",
    "404": "There is no such job in the caller's scope: NOT_FOUND.",
    "429": "The server is busy, or the answer too large: RESOURCE_EXHAUSTED.",
    "default": "Any other failure. 408: the body did not arrive; 413: it is too large; 415: it is "
    "not said to be JSON; 421: it is for another host; 500: unexpected, the message holds its "
    "reference in the log; 503: the database or the identity service is out of reach; 504: the "
    "deadline, or the limit on one query, has passed.",
}
_HEADERS: Mapping[str, tuple[str, Schema]] = {
    "x-domain-id": (
        "The domain to work in: for system tokens, and for servers without authentication.",
        {"type": "string"},
    ),
    "x-workspace-id": ("The workspace to work in, likewise.", {"type": "string"}),
    "x-request-timeout": (
        "How long the call may take, in seconds; `grpc-timeout` does as well.",
        {"type": "number", "exclusiveMinimum": 0},
    ),
    "x-request-id": (
        "What the log and the answer call this request; the server makes one up otherwise.",
        {"type": "string", "maxLength": 128},
    ),
}
_EXAMPLES: Mapping[str, Mapping[str, tuple[str, Members]]] = {
    "delete": {"job": ("A job and its tasks", {"job_id": "job-0123456789ab"})},
    "get": {"job": ("One job", {"job_id": "job-0123456789ab"})},
    "list": {
        "newest": ("The ten newest jobs", {"query": {"page": {"limit": 10}}}),
        "failed": (
            "Jobs that failed in the last week",
            {
                "status": "FAILURE",
                "query": {
                    "filter": [{"k": "created_at", "v": "now-7d", "o": "timediff_gte"}],
                    "only": ["job_id", "plugin_id", "failure_tasks", "created_at"],
                },
            },
        ),
    },
    "analyze": {
        "statuses": (
            "Jobs by status",
            {"query": {"group_by": ["status"], "fields": {"jobs": {"operator": "count"}}}},
        )
    },
    "stat": {
        "days": (
            "Jobs by day",
            {
                "query": {
                    "aggregate": [
                        {
                            "group": {
                                "keys": [
                                    {"k": "created_at", "n": "day", "date_format": "%Y-%m-%d"}
                                ],
                                "fields": [{"n": "jobs", "o": "count"}],
                            }
                        },
                        {"sort": [{"key": "day"}]},
                    ]
                }
            },
        ),
        "plugins": ("The plugins there are", {"query": {"distinct": "plugin_id"}}),
    },
}
_STATUS: Schema = {
    "type": "object",
    "description": "google.rpc.Status.",
    "properties": {
        "code": {"type": "integer", "format": "int32", "description": "A google.rpc.Code."},
        "message": {"type": "string", "description": "`CODE: message`."},
        "details": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "@type": {"type": "string"},
                    "field_violations": {
                        "type": "array",
                        "description": "Of google.rpc.BadRequest: what is wrong, field by field.",
                        "items": {
                            "type": "object",
                            "properties": {
                                "field": {
                                    "type": "string",
                                    "examples": ["query.filter[2].operator"],
                                },
                                "description": {"type": "string"},
                            },
                        },
                    },
                    "retry_delay": {
                        "type": "string",
                        "description": "Of google.rpc.RetryInfo: when another try is worth it.",
                    },
                },
                "required": ["@type"],
            },
        },
    },
    "required": ["code", "message", "details"],
}


FILE_NAME = "openapi.json"
_SERVICE = "spaceone.api.inventory.v1.Job"


def openapi_json(descriptors: FileDescriptorSet) -> str:
    """The description of the service over HTTP, as text of a JSON file; `descriptors` are those of
    its files and of all that they import, with their comments."""
    pool = DescriptorPool()
    for file in descriptors.file:
        pool.Add(file)
    service: ServiceDescriptor = pool.FindServiceByName(_SERVICE)
    described = _document(service, comments_of(descriptors))
    return json.dumps(described, indent=1, ensure_ascii=False) + "\n"


def _document(service: ServiceDescriptor, comments: Comments) -> Members:
    used = [kind for method in service.methods for kind in (method.input_type, method.output_type)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Inventory Job API",
            "version": __version__,
            "description": f"`{service.full_name}`. {comments.get(service.full_name, '')}",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ".", "description": "This server"}],
        "tags": [{"name": service.name}],
        "security": [{}, {"token": []}, {"bearer": []}],
        "paths": {
            _path(method): {"post": _operation(method, comments)} for method in service.methods
        },
        "components": {
            "schemas": components(used, comments) | {"google.rpc.Status": _STATUS},
            "responses": {name: _failure(name, said) for name, said in _ERRORS.items()},
            "parameters": dict(_parameters()),
            "headers": {
                "x-request-id": {
                    "description": "What the log calls this request.",
                    "schema": {"type": "string"},
                }
            },
            "securitySchemes": _SECURITY,
        },
    }


_SECURITY: Members = {
    "token": {"type": "apiKey", "in": "header", "name": "token", "description": "A JWT, `eyJ…`."},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
_ANSWER_HEADERS: Members = {"x-request-id": {"$ref": "#/components/headers/x-request-id"}}


def _path(method: MethodDescriptor) -> str:
    """The path of `POST path`, with the whole request message as the body; no other is served."""
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    if not rule.post or rule.body != "*" or "{" in rule.post or rule.additional_bindings:
        raise ValueError(f"{method.full_name} is not bound to POST with the whole body")
    return str(rule.post)


def _operation(method: MethodDescriptor, comments: Comments) -> Members:
    request, response = method.input_type, method.output_type
    said = comments.get(method.full_name, "")
    # A method that finds nothing to do its work on says so in its comment.
    failures = [name for name in _ERRORS if name != "404" or "NOT_FOUND" in said]
    examples = {
        name: {"summary": summary, "value": value}
        for name, (summary, value) in _EXAMPLES.get(method.name, {}).items()
    }
    return {
        "operationId": method.name,
        "tags": [method.containing_service.name],
        "summary": said.partition(".")[0],
        "description": said,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in _HEADERS],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema_of(request), "examples": examples}},
        },
        "responses": {
            "200": {
                "description": "The answer; members at their defaults are left out.",
                "headers": _ANSWER_HEADERS,
                "content": {
                    "application/json": {
                        "schema": schema_of(response),
                        "example": ANSWERS.get(method.name, {}),
                    }
                },
            }
        }
        | {name: {"$ref": f"#/components/responses/{name}"} for name in failures},
    }


def _failure(name: str, said: str) -> Members:
    schema = {"$ref": "#/components/schemas/google.rpc.Status"}
    return {
        "description": said,
        "headers": _ANSWER_HEADERS,
        "content": {"application/json": {"schema": schema, "example": FAILURES[name]}},
    }


def _parameters() -> Iterable[tuple[str, Members]]:
    for name, (said, schema) in _HEADERS.items():
        parameter = {"name": name, "in": "header", "description": said, "schema": schema}
        if name == "x-domain-id":
            parameter |= {"example": LARGEST_TENANT}
        yield name, parameter
