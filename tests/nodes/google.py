"""What an FCM account needs besides FCM: a service account's key file, and the server that gives its tokens."""

import atexit
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.nodes.lasting import lasting_folder
from tests.nodes.web import Answer, Heard, Said, WebServer, web_server

PROJECT = "acme-push"
_LOCK = threading.Lock()


@cache
def _private_key() -> str:
    return (
        rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        .private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        .decode()
    )


def key_file(folder: Path, token_uri: str, **changed: str | None) -> Path:
    """A service account's key file in `folder`; what is None is left out."""
    fields = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": _private_key(),
        "client_email": f"sender@{PROJECT}.iam.gserviceaccount.com",
        "token_uri": token_uri,
        **changed,
    }
    path = folder / "service-account.json"
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
    return path


def token(text: str = "ya29.t0ken", seconds: int = 3_600) -> Said:
    """An answer with an access token."""
    return Said(200, json.dumps({"access_token": text, "expires_in": seconds}).encode())


@dataclass
class Google:
    """A token server and the key file that leads to it."""

    server: WebServer
    path: Path

    @property
    def option(self) -> str:
        """``credentials=…`` for a provider's URL."""
        return urlencode({"credentials": str(self.path)})


@contextmanager
def google(folder: Path, answer: Answer | None = None) -> Iterator[Google]:
    """A running one; without an `answer` each token is another: ``ya29.1``, ``ya29.2``, …"""
    given = 0

    def next_token(_: Heard) -> Said:
        nonlocal given
        given += 1
        return token(f"ya29.{given}")

    with web_server(answer or next_token) as server:
        yield Google(server, key_file(folder, f"{server.url}/token"))


def lasting(text: str) -> Google:
    """One for the whole run that gives this token; for suites that know nothing of tokens."""
    with _LOCK:
        return _lasting(text)


@cache
def _lasting(text: str) -> Google:
    stack = ExitStack()
    found = stack.enter_context(google(lasting_folder("google"), token(text)))
    atexit.register(stack.close)
    return found
