"""`notifier send` and `status` through a running service: `notifier dev` on a socket."""

import http.server
import threading

import pytest

from notifier.domain.keys import new_key
from notifier.domain.lifecycle import Mode

SMS = ("send", "--phone", "+14155552671", "--text", "hello")


@pytest.fixture
def there(cli, dev):
    """The command in an empty folder of its own, with nothing but the service's address and key."""
    cli.env |= {"NOTIFIER_URL": dev.url, "NOTIFIER_API_KEY": dev.key}
    return cli


def test_a_notification_is_sent_and_its_ending_awaited(there):
    """`--wait` ends with 0 once it was sent; status shows the attempt and the timeline."""
    ended = there.run(*SMS, "--wait", "30", "--json").json()
    assert ended["status"] == "sent"
    assert [attempt["outcome"] for attempt in ended["attempts"]] == ["accepted"]
    out = there.run("status", ended["id"]).out
    assert f"{ended['id']}  sms.medium  sent" in out
    assert "console" in out
    assert "attempt 1 accepted" in out


def test_what_is_sent_from_beside_it_is_delivered_by_it(cli, dev):
    """Without an address, on the same database: the relay of `notifier dev` finds the bell that is owed."""
    cli.folder = dev.folder
    ended = cli.run(*SMS, "--wait", "30")
    assert ended.out.splitlines()[1] == "sent"
    assert ended.err == ""


def test_address_and_key_may_stand_in_a_file(cli, dev):
    (cli.folder / ".env").write_text(f"NOTIFIER_URL={dev.url}\nNOTIFIER_API_KEY={dev.key}\n")
    assert cli.run(*SMS, "--dry-run", "--json").json()["provider"] == "console"


def test_the_door_s_refusal_names_the_options(there):
    ended = there.run("send", "--email", "nobody", "--subject", "s", "--ttl", "0", code=2)
    assert {line.partition(":")[0] for line in ended.err.splitlines()} == {"--email", "--text", "--ttl"}


def test_the_same_idempotency_key_gives_the_same_id(there):
    first = there.run(*SMS, "--idempotency-key", "twice").out
    again = there.run(*SMS, "--idempotency-key", "twice")
    assert again.out == first
    assert "used before" in again.err


def test_what_is_not_there_ends_with_1(there):
    assert "no such thing" in there.run("status", "ntf_01890000-0000-7000-8000-000000000000", code=1).err


def test_another_key_is_refused_and_never_shown(there):
    there.env["NOTIFIER_API_KEY"] = stranger = new_key(Mode.LIVE)[1]
    ended = there.run(*SMS, code=1)
    assert "valid API key" in ended.err
    assert stranger not in ended.err + ended.out


def test_the_tenant_is_the_key_s(there):
    assert "--tenant" in there.run(*SMS, "--tenant", "acme", code=2).err


def test_nobody_there_is_said_and_nothing_can_have_been_accepted(there):
    there.env["NOTIFIER_URL"] = "http://127.0.0.1:1"
    ended = there.run(*SMS, code=1)
    assert "no answer from http://127.0.0.1:1" in ended.err
    assert "may have been accepted" not in ended.err


class _Elsewhere(http.server.BaseHTTPRequestHandler):
    """Not notifier: it redirects, or answers a page, or says nothing at all."""

    keys: list[str | None]

    def do_POST(self):
        self.keys.append(self.headers["Authorization"])
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/other")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path.startswith("/page"):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")
        else:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def stranger():
    """A web server that is not ours; `keys` are the Authorization headers it got."""
    handler = type("Handler", (_Elsewhere,), {"keys": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.keys = handler.keys
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_key_follows_no_redirect(there, stranger):
    there.env["NOTIFIER_URL"] = f"http://127.0.0.1:{stranger.server_port}/moved"
    assert "answered 302" in there.run(*SMS, code=1).err
    assert len(stranger.keys) == 1


def test_a_page_that_is_not_ours_is_said(there, stranger):
    there.env["NOTIFIER_URL"] = f"http://127.0.0.1:{stranger.server_port}/page/"
    assert "is it the right address?" in there.run(*SMS, code=1).err


def test_a_connection_cut_before_the_answer_leaves_it_open(there, stranger):
    """It may have been accepted: the Idempotency-Key tells."""
    there.env["NOTIFIER_URL"] = f"http://127.0.0.1:{stranger.server_port}/silent"
    ended = there.run(*SMS, code=1)
    assert "may have been accepted" in ended.err
    assert "--idempotency-key" in ended.err


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://host", "http://user:word@host", "http://h/?a=b"])
def test_an_address_that_is_none_is_named(there, url):
    there.env["NOTIFIER_URL"] = url
    ended = there.run(*SMS, code=2)
    assert ended.err.startswith("NOTIFIER_URL: must be http://")
    assert "word" not in ended.err
