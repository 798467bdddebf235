"""Cases of our own for the operator's routes: lanes that do not exist, keys that may not, bodies and queries."""

import pytest

from tests.catalogue.kit import CANARY, READER, Case, check, get, parts, post, request, table, talk

pytestmark = pytest.mark.asyncio(loop_scope="module")

LANES, WORKERS = "/v1/lanes", "/v1/workers"
PAUSE, RESUME = f"{LANES}/email/low/pause", f"{LANES}/email/low/resume"


def missing(name, path, method="POST"):
    return Case(name, request(method, path), status=404, code="not_found")


def method(name, method, path, allowed):
    return Case(
        name, request(method, path), status=405, code="method_not_allowed", headers={"Allow": allowed}
    )


def forbidden(name, path):
    return Case(name, request("POST", path, key=READER), status=403, code="forbidden")


def no_key(name, sent):
    return Case(name, sent, status=401, code="unauthorized")


def unknown(name, sent):
    return Case(name, sent, wrong={"?force": "unknown_parameter"})


OWN = [
    missing("OWN-213 a lane of no channel", f"{LANES}/fax/low/pause"),
    missing("OWN-214 a lane of no priority", f"{LANES}/email/urgent/resume"),
    missing("OWN-215 a lane in capitals", f"{LANES}/EMAIL/low/pause"),
    missing("OWN-216 a lane's two halves turned round", f"{LANES}/low/email/pause"),
    missing("OWN-217 a lane by its name", f"{LANES}/email.low/pause"),
    missing("OWN-218 a lane by its queue", f"{LANES}/notifier.v1.email.low/low/pause"),
    missing("OWN-219 a lane with an encoded slash", f"{LANES}/email%2flow/pause"),
    missing("OWN-220 a lane that is no UTF-8", f"{LANES}/%ff/low/pause"),
    missing("OWN-221 a lane with NUL", f"{LANES}/email/low%00/pause"),
    missing("OWN-222 a lane with an empty half", f"{LANES}//low/pause"),
    missing("OWN-223 a lane by itself", f"{LANES}/email/low", "GET"),
    missing("OWN-224 what a lane can't do", f"{LANES}/email/low/{CANARY}"),
    missing("OWN-225 one worker", f"{WORKERS}/{CANARY}", "GET"),
    method("OWN-226 a GET that would pause", "GET", PAUSE, "POST"),
    method("OWN-227 a DELETE of a pause", "DELETE", PAUSE, "POST"),
    method("OWN-228 a PUT of lanes", "PUT", LANES, "GET, HEAD"),
    method("OWN-229 a POST of workers", "POST", WORKERS, "GET, HEAD"),
    forbidden("OWN-230 a reader pauses", PAUSE),
    forbidden("OWN-231 a reader resumes", RESUME),
    forbidden("OWN-232 a reader pauses what is not there", f"{LANES}/fax/low/pause"),
    no_key("OWN-233 nobody pauses", request("POST", PAUSE, key=None)),
    no_key("OWN-234 nobody reads lanes", get(LANES, key=None)),
    no_key("OWN-235 nobody reads workers", get(WORKERS, key=None)),
    unknown("OWN-236 a query on lanes", get(f"{LANES}?force={CANARY}")),
    unknown("OWN-237 a query on workers", get(f"{WORKERS}?force={CANARY}")),
    unknown("OWN-238 a query on a pause", request("POST", f"{PAUSE}?force={CANARY}")),
    Case("OWN-239 a pause with a body", post({"seconds": 60}, PAUSE), status=400, code="invalid_json"),
    Case("OWN-240 a pause with a body of 300 KB", post(b" " * 300_000, PAUSE), status=413, code="body_too_large"),
    Case("OWN-241 a pause with an empty object", post({}, PAUSE), status=200),
    Case("OWN-242 a resume without a body", request("POST", RESUME), status=200),
    Case("OWN-243 a reader reads lanes", get(LANES, key=READER), status=200),
    Case("OWN-244 a reader reads workers", get(WORKERS, key=READER), status=200),
]  # fmt: skip


@pytest.mark.parametrize(**table(OWN))
async def test_the_routes_of_operators(door, case):
    """Refused as everywhere else, and nothing is paused by what was refused."""
    await check(door, case)


async def test_what_is_refused_pauses_nothing(door):
    """OWN-245: after each refusal every lane stands as before."""
    await talk(door.port, request("POST", RESUME))
    for case in (case for case in OWN if case.status >= 400):
        await talk(door.port, case.sent)
    lanes = parts(await talk(door.port, get(LANES))).json()["data"]
    assert [one["lane"] for one in lanes if one["paused"]] == []
