"""The small server of a launch: three paths, no version, the next free port."""

import http.client
import json

import pytest

from notifier.telemetry.exposition import Exposition, free_socket, metrics_page, verdict_page
from notifier.telemetry.probes import Verdict


def broken():
    raise ValueError("secret")


@pytest.fixture
def served():
    verdict = [Verdict()]
    sock = free_socket("127.0.0.1", 20_500)
    pages = {
        "/metrics": metrics_page(lambda: b"a 1\n"),
        "/livez": verdict_page(lambda: verdict[0], "alive", "not_alive"),
        "/broken": metrics_page(broken),
    }
    exposition = Exposition(sock, pages)
    exposition.start()
    yield exposition, verdict
    exposition.stop()


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def test_it_answers_known_paths_and_names_no_version(served):
    exposition, verdict = served
    status, headers, body = ask(exposition.port, "/metrics?x=1")
    assert (status, body) == (200, b"a 1\n")
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "Server" not in headers
    assert ask(exposition.port, "/livez")[0] == 200
    verdict[0] = Verdict(("worker 7: silent",))
    status, _, body = ask(exposition.port, "/livez")
    assert (status, json.loads(body)) == (503, {"status": "not_alive", "wrong": ["worker 7: silent"]})
    assert ask(exposition.port, "/other")[0] == 404
    assert ask(exposition.port, "/broken")[0] == 500


def test_a_taken_port_is_passed_over_up_to_nine_times():
    taken = []
    try:
        first = free_socket("127.0.0.1", 21_000)
        taken.append(first)
        base = first.getsockname()[1]
        for _ in range(9):
            taken.append(free_socket("127.0.0.1", base))
        ports = [sock.getsockname()[1] for sock in taken if sock is not None]
        assert ports == sorted(set(ports))
        assert max(ports) <= base + 9
        assert free_socket("127.0.0.1", base) is None or max(ports) - base < 9
    finally:
        for sock in taken:
            if sock is not None:
                sock.close()


def test_no_port_of_an_address_that_is_not_ours_is_taken():
    assert free_socket("192.0.2.1", 21_100) is None
    assert free_socket("no such host", 21_100) is None
