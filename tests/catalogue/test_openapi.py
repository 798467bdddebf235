"""schemathesis over a running door, from the document that the door itself gives.

Each operation gets requests that fit its document and requests that do not: no answer may be a 5xx or one
that the document does not know, and what does not fit must be refused. The same requests in every run.
"""

import asyncio
import re
import shutil
import threading
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from notifier.domain.ids import parse_notification_id
from notifier.http.openapi import document
from notifier.http.operation_list import OPERATIONS
from notifier.storage.dead_letters import bury
from notifier.storage.engine import writing
from tests.acceptance.http.conftest import Door
from tests.acceptance.http.test_reading import ATTEMPT
from tests.catalogue import (
    test_a_framing,
    test_b_json,
    test_c_fields,
    test_d_recipients,
    test_e_content,
    test_f_access,
)
from tests.catalogue.conftest import PATIENT
from tests.catalogue.kit import KEY, add_keys, email, post, push, sms, talk

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=12,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
ALL = [(operation.method, operation.path) for operation in OPERATIONS]
#: A stream ends only where it is asked to; what is wrong in its question has tests of its own (test_lane_events).
STREAM = "/v1/lanes/events"
#: An operation without a key, a parameter or a body has no request that does not fit; nor has one whose only
#: parameter is any text in its path.
STRICT = [
    (one.method, one.path)
    for one in OPERATIONS
    if one.path != STREAM and (one.scope or set(one.parameters) - {"token", "file", "receipts_of"})
]
EXAMPLES = [
    (operation.path, name)
    for operation in OPERATIONS
    if operation.takes
    for name in document("1")["paths"][operation.path]["post"]["requestBody"]["content"]["application/json"][
        "examples"
    ]
]


class Served:
    """A door on an event loop of its own thread, with a notification in each of some states."""

    def __init__(self, path):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="door")
        self._thread.start()
        self.door = self.run(self._started(path))
        self.base_url = f"http://127.0.0.1:{self.door.port}"
        self.session = requests.Session()
        # A session of the console that one request was given must not let the others in.
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.session.headers["Authorization"] = f"Bearer {KEY}"

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _started(self, path):
        door = Door(f"sqlite:///{path}", PATIENT, wait=30.0)
        add_keys(door.engine)
        await door.start()
        for value in (sms(), push(), email()):
            await talk(door.port, post(value))
        door.set_rows(
            status="failed",
            reason="content_rejected",
            last_attempt=ATTEMPT,
            attempt=1,
            finished_at=datetime.now(UTC),
        )
        listed = (await door.ask("GET", "/v1/notifications", key=KEY)).json()["data"]
        with writing(door.engine) as connection:
            bury(connection, [parse_notification_id(row["id"]) for row in listed])
        for value in (sms(), push(), email(tags=["a"], metadata={"k": "v"}, reference="r", topic="t")):
            await talk(door.port, post(value))
        return door

    def new_id(self):
        """The id of a notification that was just accepted."""
        return self.session.post(f"{self.base_url}/v1/notifications", json=email()).json()["id"]

    def close(self):
        self.session.close()
        self.run(self.door.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="module")
def served(migrated, tmp_path_factory):
    path = tmp_path_factory.mktemp("openapi") / "notifier.db"
    shutil.copy(migrated, path)
    made = Served(path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def schema(served):
    """The document as the door gives it."""
    return schemathesis.openapi.from_url(f"{served.base_url}/openapi.json")


def ask(served, operation, mode, checks, **fixed):
    """The statuses of what schemathesis sends to one operation, each answer checked."""
    statuses = []

    @BOUNDED
    @given(case=operation.as_strategy(generation_mode=mode, **fixed))
    def asked(case):
        answer = case.call_and_validate(
            base_url=served.base_url,
            headers={"Authorization": f"Bearer {KEY}"},
            session=served.session,
            checks=checks,
        )
        statuses.append(answer.status_code)

    asked()
    return statuses


@pytest.mark.parametrize(("method", "path"), ALL)
def test_what_fits_the_document_gets_a_documented_answer(served, schema, method, path):
    """And never one of 5xx, nor one of another form than its schema says."""
    fixed = {"query": {"events": 1}} if path == STREAM else {}
    assert ask(served, schema[path][method], GenerationMode.POSITIVE, CHECKS, **fixed)


@pytest.mark.parametrize(("method", "path"), STRICT)
def test_what_does_not_fit_the_document_is_refused(served, schema, method, path):
    """4xx, documented; never taken."""
    statuses = ask(served, schema[path][method], GenerationMode.NEGATIVE, [*CHECKS, negative_data_rejection])
    assert set(statuses) & {400, 401, 403, 404, 422}


@pytest.mark.parametrize(("method", "path"), [one for one in ALL if "{id}" in one[1]])
def test_an_id_that_is_there_gets_a_documented_answer(served, schema, method, path):
    """Shown, cancelled once, resolved never: 200, 409, 400, 422 as the document has them."""
    fixed = {"path_parameters": {"id": served.new_id()}}
    statuses = ask(served, schema[path][method], GenerationMode.POSITIVE, CHECKS, **fixed)
    assert set(statuses) <= {200, 409}


@pytest.mark.parametrize(("path", "name"), EXAMPLES)
def test_an_example_of_the_document_is_taken(served, schema, path, name):
    """Each can be sent as it stands."""
    operation = schema[path]["post"]
    content = document("1")["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    headers = {"X-Notifier-Console": "1"} if path == "/console/session" else {}
    case = operation.Case(
        body=content["examples"][name]["value"],
        media_type="application/json",
        path_parameters={"id": served.new_id()} if "{id}" in path else {},
        headers=headers,
    )
    answer = case.call_and_validate(base_url=served.base_url, session=served.session, checks=CHECKS)
    usual = 200 if path.endswith(("search", "discard")) else 202
    # Whoever is suppressed already stays so; the key of the example is nobody's.
    others = {
        "/v1/suppressions": {201, 200},
        "/v1/notifications/{id}/resolve": {409},
        "/console/session": {401},
    }
    assert answer.status_code in others.get(path, {usual})


_LINE = re.compile(rb"([A-Z]+) (/[^ ?]*)[^ ]* HTTP/1\.1\r\n")
#: What concerns every request, before its path is looked at.
_ANYWHERE = {"bad_request", "headers_too_large", "method_not_allowed"}


def test_every_answer_of_the_tables_is_documented():
    """Each code that a case gets on a route of the document stands among the route's answers."""
    found, told = 0, document("1")
    tables = (test_a_framing, test_b_json, test_c_fields, test_d_recipients, test_e_content, test_f_access)
    for case in (case for table in tables for case in table.CASES):
        line = _LINE.match(case.sent)
        if line is None or case.code in _ANYWHERE:
            continue
        path = re.sub(r"/ntf_[^/]*", "/{id}", line[2].decode())
        operation = told["paths"].get(path, {}).get(line[1].decode().lower())
        if operation is None:
            continue
        answers = operation["responses"]
        assert str(case.status) in answers, case.name
        answer = answers[str(case.status)]
        if "$ref" in answer:
            assert answer["$ref"].endswith(f"/{case.code}"), case.name
        elif case.status >= 400:
            assert f"{case.code}: " in answer["description"], case.name
        found += 1
    assert found > 300
