"""Chat over Apprise: our deadline, our client and our reading of what became of a message that it says it did not send."""

import base64
import json
import logging
import socket
import sys
import threading
import time
from types import ModuleType
from urllib.parse import quote
from uuid import UUID

import pytest
import requests
from apprise import NotifyBase

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason
from notifier.domain.notification import Content, Outgoing
from notifier.domain.outcomes import Accepted, Deferred, Refused, Uncertain
from notifier.domain.recipients import ChatDestination
from notifier.providers import apprise as module
from notifier.providers import apprise_http
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.registry import parse_provider_url
from notifier.providers.urls import parse_url
from tests.nodes.web import Fault, Said, web_server

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
TOKEN = "s3cret-t0ken"


def outgoing(text="Version 2 is out", **more):
    return Outgoing(
        id=ID, recipient=ChatDestination("ops"), content=Content(title="Deploy", text=text), **more
    )


def built(service, more="timeout=5"):
    given = f"apprise://?name=ops&url={quote(service, safe='')}&{more}"
    return parse_provider_url(Channel.CHAT, given, ProviderDefaults()).build()


def sent(service, message=None, seconds=5.0):
    provider = built(service)
    try:
        return provider.send(message or outgoing(), Deadline(seconds))
    finally:
        provider.close()


def test_a_message_arrives_as_the_service_wants_it():
    with web_server(Said(200)) as server:
        outcome = sent(f"json://{server.port and '127.0.0.1'}:{server.port}/{TOKEN}")
    assert isinstance(outcome, Accepted)
    assert outcome.reference == f"ntf_{ID}"
    body = json.loads(server.heard[0].body)
    assert (body["title"], body["message"], body["attachments"]) == ("Deploy", "Version 2 is out", [])
    assert server.heard[0].path == f"/{TOKEN}"


def test_markdown_is_turned_into_what_the_service_wants():
    """Here HTML; a plain text stays as it is, its stars too."""
    with web_server(Said(200)) as server:
        service = f"json://127.0.0.1:{server.port}/?format=html"
        sent(service, outgoing("**out**", options={"chat": {"format": "markdown"}}))
        sent(service, outgoing("**out**"))
    first, second = (json.loads(heard.body)["message"] for heard in server.heard)
    assert "<strong>out</strong>" in first
    assert "**out**" in second


def test_the_urls_file_is_read_and_is_never_shown(tmp_path):
    path = tmp_path / "ops.url"
    with web_server(Said(400, json.dumps({"error": f"no {TOKEN}"}).encode())) as server:
        path.write_text(f"json://ada:{TOKEN}@127.0.0.1:{server.port}/\n")
        given = f"apprise://?name=ops&url_file={path}"
        provider = parse_provider_url(Channel.CHAT, given, ProviderDefaults()).build()
        outcome = provider.send(outgoing(), Deadline(5))
        provider.close()
    assert isinstance(outcome, Refused)
    assert TOKEN not in f"{outcome!r} {provider!r} {vars(provider)['_line']!r}"
    path.unlink()
    with pytest.raises(SetupError, match="url_file"):
        parse_provider_url(Channel.CHAT, given, ProviderDefaults()).build()


@pytest.mark.parametrize("service", ["nothing://x", "slack://", "json://", "json://[bad"])
def test_a_url_that_apprise_does_not_know_is_no_account(service):
    with pytest.raises(SetupError, match="none that Apprise knows") as caught:
        built(service)
    assert service not in str(caught.value)


@pytest.mark.parametrize(
    "service", ["mqtt://127.0.0.1/topic", "mailto://u:p@example.com", "rsyslog://127.0.0.1"]
)
def test_a_service_that_would_speak_past_our_client_is_no_account(service):
    """Neither its deadline nor its outcome would be known."""
    with pytest.raises(SetupError, match=r"not spoken to over HTTP|none that Apprise knows"):
        built(service)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"requests": apprise_http.FACADE}, True),
        ({}, False),
        ({"requests": requests}, False),
        ({"requests": apprise_http.FACADE, "socket": socket}, False),
        ({"requests": apprise_http.FACADE, "HTTPPolicy": object}, False),
    ],
)
def test_a_plugin_with_a_way_of_its_own_beside_is_told_apart(names, expected, monkeypatch):
    """In whichever of its modules that is: Nostr's relays are called by a file beside its plugin."""
    home, beside = (ModuleType(f"apprise.plugins.made.{name}") for name in ("base", "relay"))
    vars(beside).update(names)
    for one in (home, beside):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    plugin = type("Made", (), {"__module__": home.__name__})()
    assert apprise_http.speaks_http_only(plugin) is expected


@pytest.mark.parametrize(
    "service",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "ntfy://ntfy.example.com/topic",
        "gotify://gotify.example.com/AbCdEfGhIjKlMnO",
        "mmost://mattermost.example.com/3ccdd113474722377935511fc85d3dd4",
        "rocket://user:pass@rocket.example.com/#Channel",
        "zulip://bot@org/a6k4DxdeyCRZ1Fi4vIlMrjZG2NHdEh7e/",
    ],
)
def test_the_usual_services_can_be_set_up(service):
    provider = built(service)
    provider.close()


def posts(*paths):
    """A plugin's `send` that posts to each path in turn and is content if all of it went well."""

    def send(self, body, title="", **_):
        import apprise.plugins.custom_json as home

        answers = [home.requests.post(f"http://127.0.0.1:{self.port}{path}", timeout=99) for path in paths]
        return all(answer.status_code == 200 for answer in answers)

    return send


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"/a": 200, "/b": 200}, Accepted),
        ({"/a": 500}, Deferred(Reason.PROVIDER_UNAVAILABLE)),
        ({"/a": 429}, Deferred(Reason.THROTTLED, 7.0)),
        ({"/a": 403}, Deferred(Reason.AUTH_FAILED)),
        ({"/a": 400}, Refused(Reason.PROVIDER_REJECTED)),
        ({"/a": 413}, Refused(Reason.CONTENT_REJECTED)),
        ({"/a": 201}, Uncertain()),
        ({"/a": 200, "/b": 500}, Uncertain()),
        ({"/a": Fault.CLOSE}, Uncertain()),
        ({}, Refused(Reason.PROVIDER_REJECTED)),
    ],
)
def test_what_a_no_of_apprise_means_is_read_from_its_requests(answers, expected, monkeypatch):
    """It gives no status: our own client knows them. Part of several may have come: nobody knows."""

    def answer(heard):
        said = answers[heard.path]
        return (
            said if isinstance(said, Fault) else Said(said, b"", {"Retry-After": "7"} if said == 429 else {})
        )

    with web_server(answer) as server:
        provider = built(f"json://127.0.0.1:{server.port}/")
        monkeypatch.setattr(
            type(provider._plugin), "send", posts(*answers) if answers else lambda *_, **__: False
        )
        outcome = provider.send(outgoing(), Deadline(5))
        provider.close()
    if expected is Accepted:
        assert isinstance(outcome, Accepted)
    else:
        assert type(outcome) is type(expected)
        assert outcome.reason == expected.reason
        assert getattr(outcome, "not_before", None) == getattr(expected, "not_before", None)


def test_a_plugin_that_fails_tells_its_kind_alone(monkeypatch):
    """Its text may hold the URL."""
    provider = built("json://127.0.0.1:9/")

    def send(self, **_):
        raise RuntimeError(TOKEN)

    monkeypatch.setattr(type(provider._plugin), "send", send)
    outcome = provider.send(outgoing(), Deadline(5))
    assert isinstance(outcome, Refused)
    assert "RuntimeError" in outcome.answer.text
    assert TOKEN not in outcome.answer.text


def test_apprises_own_times_retries_and_redirects_are_off():
    """Whatever its URL says: one request, within our deadline, to nobody else."""
    ours = "?cto=99&rto=99&retry=3&wait=5&redirect=yes"
    with (
        web_server(Said(200)) as elsewhere,
        web_server(Said(302, b"", {"Location": elsewhere.url})) as server,
    ):
        outcome = sent(f"json://127.0.0.1:{server.port}/{ours}")
        assert isinstance(outcome, Refused)
        assert (len(server.heard), elsewhere.connections) == (1, 0)
        server.answer = Fault.HANG
        began = time.monotonic()
        assert isinstance(sent(f"json://127.0.0.1:{server.port}/{ours}", seconds=0.5), Uncertain)
        assert time.monotonic() - began < 2.0
        assert len(server.heard) == 2


def test_many_messages_in_a_row_wait_for_nobody():
    """Apprise holds most services to a message in 5.5 seconds by sleeping in the thread; our limits do that."""
    with web_server(Said(200)) as server:
        provider = built(f"json://127.0.0.1:{server.port}/")
        type(provider._plugin)
        began = time.monotonic()
        for _ in range(3):
            provider._plugin.throttle(wait=30)
            assert isinstance(provider.send(outgoing(), Deadline(5)), Accepted)
        assert time.monotonic() - began < 5.0
        assert provider._plugin.request_rate_per_sec == 0
        assert NotifyBase.request_rate_per_sec > 0, "only this instance was changed"
        provider.close()


def test_outside_of_a_call_and_of_apprise_nothing_is_changed():
    """Its plugins can't speak; whoever else uses `requests` does so as ever."""
    built("json://127.0.0.1:9/").close()
    import apprise.plugins.custom_json as home

    assert home.requests is apprise_http.FACADE
    assert requests.post is not apprise_http.FACADE.post
    with web_server(Said(200)) as server, pytest.raises(requests.ConnectionError):
        home.requests.post(server.url)
    assert server.connections == 0
    with pytest.raises(requests.ConnectionError):
        home.requests.Session()
    assert home.requests.RequestException is requests.RequestException


def test_calls_of_32_threads_do_not_mix(monkeypatch):
    """Each knows only its own requests: half of them are refused, and exactly those."""

    def answer(heard):
        return Said(200 if json.loads(heard.body)["message"].endswith("even") else 400)

    wrong = []
    with web_server(answer) as server:
        begin = threading.Barrier(32)

        def work(number):
            text = f"{number} {'odd' if number % 2 else 'even'}"
            provider = built(f"json://127.0.0.1:{server.port}/")
            begin.wait(60)
            for _ in range(5):
                outcome = provider.send(outgoing(text), Deadline(20))
                if isinstance(outcome, Accepted) is bool(number % 2):
                    wrong.append((number, outcome))
            provider.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert wrong == []
    assert len(server.heard) == 160


def test_its_log_is_off(caplog):
    """It names URLs at its lower levels; a URL that it can't read at its higher ones."""
    caplog.set_level(1)
    with pytest.raises(SetupError):
        built(f"nothing://{TOKEN}")
    with web_server(Said(500)) as server:
        sent(f"json://{TOKEN}:{TOKEN}@127.0.0.1:{server.port}/{TOKEN}")
    assert not [line for line in caplog.messages if TOKEN in line]
    assert logging.getLogger("apprise").disabled


def test_nothing_that_is_kept_shows_the_url():
    service = f"json://ada:{TOKEN}@127.0.0.1/{TOKEN}"
    parsed = parse_url(Channel.CHAT, f"apprise://?name=ops&url={quote(service, safe='')}")
    provider = built(service)
    encoded = base64.b64encode(f"ada:{TOKEN}".encode()).decode()
    shown = f"{parsed!r} {provider!r} {module.AppriseConfig(url=service, line=provider._line)!r}"
    assert not [one for one in (TOKEN, encoded) if one in shown]
