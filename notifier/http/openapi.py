"""`/openapi.json`: OpenAPI 3.1, made from the types that decode the requests."""

from collections.abc import Awaitable, Callable, Collection
from functools import cache
from typing import Any

import msgspec
from aiohttp import web

from notifier.domain.lanes import STANDING, Channel
from notifier.http import (
    answer_types,
    console_answers,
    failure_answers,
    operator_event_answers,
    parameters,
    schemas,
    suppression_answers,
)
from notifier.http.answers import raw_answer
from notifier.http.config import HttpConfig
from notifier.http.examples import ANSWERS, EXAMPLES
from notifier.http.operation_list import OPERATIONS, Operation
from notifier.http.problems import CODES
from notifier.http.queries import read_query

_REF = "#/components/schemas/{name}"
_PROBLEM = "application/problem+json"
_JSON = "application/json"
_KEY = "nk_live_… sends for real; what nk_test_… sends goes to a simulator, and only its like see it."
_TEXT = {"type": "string"}
#: One event of a stream (OpenAPI 3.2, 4.14.4, has this form; it says nothing wrong in 3.1).
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": ["history", "lanes", "unavailable"]},
        "data": {
            "type": "string",
            "contentMediaType": _JSON,
            "contentSchema": {
                "anyOf": [{"$ref": _REF.format(name=one)} for one in ("LaneHistory", "LaneNews")]
            },
        },
        "retry": {"type": "integer"},
    },
    "required": ["event", "data"],
}
#: What is given that is not JSON: what it is, its media types, their schema.
_OTHERS: dict[str, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "Page": ("A page to read", ("text/html",), _TEXT),
    "Answer": ("What the provider wants to read", ("text/plain",), _TEXT),
    "File": ("A file of the console", ("text/html", "text/css", "text/javascript", "image/svg+xml"), _TEXT),
    "LaneEvents": (
        "Server-Sent Events: `history` (a LaneHistory) once, then each second `lanes` (a LaneNews), or `unavailable`",
        ("text/event-stream",),
        _EVENT,
    ),
}


def handler(config: HttpConfig) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The route's handler; the document is made once."""

    @cache
    def made() -> bytes:
        return msgspec.json.encode(document(config.version, config.channels))

    async def show(request: web.Request) -> web.Response:
        read_query(request, {})
        return raw_answer(made())

    return show


def document(version: str, channels: Collection[Channel] = STANDING) -> dict[str, Any]:
    """The whole document of a service with these channels."""
    made = _document(version)
    unused = [channel for channel in Channel if channel not in channels]
    if unused:
        _forget(made, unused)
    return made


def _forget(found: Any, unused: Collection[Channel]) -> None:
    """Take out what belongs to channels that are not used: their names, fields, options and examples."""
    for one in found if isinstance(found, list) else list(found.values()):
        if isinstance(one, dict | list):
            _forget(one, unused)
    if not isinstance(found, dict):
        return
    if isinstance(found.get("enum"), list) and set(Channel) <= set(found["enum"]):
        found["enum"] = [one for one in found["enum"] if one not in unused]
    for channel in unused:
        for within in ("properties", "examples"):
            if isinstance(found.get(within), dict):
                found[within].pop(str(channel), None)
        found.pop(f"{channel.title()}Options", None)


def _document(version: str) -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "notifier", "version": version or "0"},
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": parameters.parameters(),
            "responses": {code: _refusal(code) for code in CODES},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": _KEY}},
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method}_{operation.path.strip('/').replace('/', '_') or 'root'}",
        "security": [{"key": []}] if operation.scope else [],
        "responses": {
            str(operation.status): _gives(operation.gives),
            **_refusals(operation),
            **{str(status): _gives(name) for status, name in operation.also},
        },
    }
    if operation.scope:
        made["x-scope"] = operation.scope
    if operation.parameters:
        made["parameters"] = [
            {"$ref": f"#/components/parameters/{parameters.parameter_key(name)}"}
            for name in operation.parameters
        ]
    if operation.takes:
        made["requestBody"] = {"required": True, "content": _taken(operation.takes)}
    return made


def _gives(name: str) -> dict[str, Any]:
    if name in _OTHERS:
        told, kinds, schema = _OTHERS[name]
        return {"description": told, "content": {kind: {"schema": schema} for kind in kinds}}
    if name == "Nothing":
        return {"description": "Done"}
    content: dict[str, Any] = {"schema": {"$ref": _REF.format(name=name)}}
    if name in ANSWERS:
        content["example"] = ANSWERS[name]
    return {"description": "Done", "content": {_JSON: content}}


def _taken(name: str) -> dict[str, Any]:
    examples = {title: {"value": value} for title, value in EXAMPLES[name].items()}
    content: dict[str, Any] = {_JSON: {"schema": {"$ref": _REF.format(name=name)}, "examples": examples}}
    if name == "BatchRequest":
        content["application/x-ndjson"] = {
            "schema": {"type": "string", "description": "One SendRequest a line"}
        }
    return content


def _refusals(operation: Operation) -> dict[str, Any]:
    """The problems by status; where several share one, all their codes are named."""
    codes = (
        *operation.refuses,
        *(("unauthorized", "forbidden") if operation.scope else ()),
        "internal_error",
    )
    by_status: dict[str, list[str]] = {}
    for code in codes:
        by_status.setdefault(str(CODES[code][0]), []).append(code)
    return {
        status: {"$ref": f"#/components/responses/{found[0]}"} if len(found) == 1 else _several(found)
        for status, found in sorted(by_status.items())
    }


def _several(codes: list[str]) -> dict[str, Any]:
    told = "; ".join(f"{code}: {CODES[code][1]}" for code in codes)
    return {"description": told, "content": {_PROBLEM: {"schema": {"$ref": _REF.format(name="Problem")}}}}


def _refusal(code: str) -> dict[str, Any]:
    return _several([code])


_BODIES = (
    schemas.SendRequest,
    schemas.SearchRequest,
    schemas.SuppressRequest,
    schemas.SuppressionSearchRequest,
    schemas.ResolveRequest,
    schemas.ReplayRequest,
    schemas.DiscardRequest,
    console_answers.LoginRequest,
)


def _schemas() -> dict[str, Any]:
    kinds = [
        *_BODIES,
        *answer_types.ALL,
        *console_answers.ALL,
        *failure_answers.ALL,
        *operator_event_answers.ALL,
        *suppression_answers.ALL,
    ]
    _, found = msgspec.json.schema_components(kinds, ref_template=_REF)
    item = {"$ref": _REF.format(name="SendRequest")}
    found["BatchRequest"] = {
        "title": "BatchRequest",
        "description": schemas.BatchFields.__doc__,
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": item, "minItems": 1, "maxItems": 1000},
            "defaults": {"type": "object", "description": "Any fields of a SendRequest"},
        },
        "required": ["items"],
        "additionalProperties": False,
    }
    found["Document"] = {"type": "object"}
    found["Discarded"] = {"oneOf": [{"$ref": _REF.format(name=name)} for name in ("Operation", "Preview")]}
    return found
