"""Sessions of the console over several doors and a restart: what is ended is ended everywhere."""

import http.client
import json
from contextlib import closing

from notifier.http.sessions import COOKIE, PROOF
from tests.acceptance.fleet import Fleet
from tests.nodes.waiting import wait_until


def ask(port: int, method: str, path: str, cookie: str = "", body: object = None) -> tuple[int, str]:
    """Status, and the cookie that came; each over a connection of its own, so that any process of the door may take it."""
    headers = {PROOF: "1", "Content-Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Set-Cookie", "").split(";")[0]


def test_a_log_out_holds_in_every_door_and_after_a_restart(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Two doors of two processes each, one secret: a copy of the cookie is good in all, and then in none."""
    secret = {"NOTIFIER_UNSUBSCRIBE_SECRET": "s" * 32}
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url, **secret) as fleet:
        fleet.migrate()
        doors = [fleet.serve(processes=2) for _ in range(2)]
        key = fleet.key()
        status, cookie = ask(fleet.ports[0], "POST", "/console/session", body={"key": key})
        assert (status, cookie.split("=")[0]) == (200, COOKIE)
        _, other = ask(fleet.ports[1], "POST", "/console/session", body={"key": key})
        for port in fleet.ports:
            assert {ask(port, "GET", "/v1/lanes", cookie)[0] for _ in range(12)} == {200}
        assert ask(fleet.ports[0], "DELETE", "/console/session", cookie)[0] == 204

        def refused() -> bool:
            tried = {ask(port, "GET", "/v1/lanes", cookie)[0] for port in fleet.ports for _ in range(12)}
            return tried == {401}

        wait_until(refused, 10, "all four processes to know it")
        assert ask(fleet.ports[1], "GET", "/v1/lanes", other)[0] == 200
        fleet.stop(doors)
        fleet.serve()
        assert ask(fleet.ports[-1], "GET", "/v1/lanes", cookie)[0] == 401
        assert ask(fleet.ports[-1], "GET", "/v1/lanes", other)[0] == 200
