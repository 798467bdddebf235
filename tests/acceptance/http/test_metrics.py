"""What the door measures: requests by template, never by path; accepted ones once, however often they are told."""

import json
from collections import Counter

from notifier.telemetry import metrics
from notifier.telemetry.metrics import ACCEPTED, REQUEST_SECONDS, REQUESTS

BODY = {
    "channel": "email",
    "priority": "low",
    "to": {"email": "marked-secret@example.com"},
    "content": {"subject": "Hello", "text": "marked-secret"},
}


async def test_a_request_is_counted_by_its_template_and_method_and_code(door):
    """Neither the path, the query nor a method that nobody knows becomes a label."""
    await door.ask("GET", "/v1/notifications/ntf_00000000-0000-7000-8000-0000marked00?marked=secret")
    await door.ask("GET", "/marked-secret")
    await door.ask("MARKED", "/livez")
    await door.ask("GET", "/livez")
    notes = list(door.tally.take())
    requests = Counter(labels for metric, labels, _ in notes if metric is REQUESTS)
    assert requests["/livez", "GET", "200"] == 1
    assert requests["unknown", "GET", "404"] == 1
    assert {labels[0] for labels in requests} <= {"/v1/notifications/{id}", "/livez", "unknown"}
    assert "marked" not in repr([labels for _, labels, _ in notes])
    timed = [number for metric, _, number in notes if metric is REQUEST_SECONDS]
    assert len(timed) == sum(requests.values())
    assert all(0 < seconds < 10 for seconds in timed)


async def test_what_is_kept_is_counted_once_after_its_commit(door):
    """The answer again by the same Idempotency-Key, and a refused one, keep nothing."""
    body = json.dumps(BODY)
    for _ in range(2):
        assert (await door.post(body, headers={"Idempotency-Key": "once"})).status == 202
    assert (await door.post(json.dumps({**BODY, "priority": "none"}))).status == 422
    notes = list(door.tally.take())
    assert [(labels, number) for metric, labels, number in notes if metric is ACCEPTED] == [
        (("email", "low"), 1)
    ]
    sizes = [number for metric, labels, number in notes if metric is metrics.GROUP_SIZE]
    assert sizes == [1]
    assert "marked" not in repr([labels for _, labels, _ in notes])
