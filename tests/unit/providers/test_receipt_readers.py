"""Which accounts have receipts, and what reads them: found by the account, imported by the first one."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Status
from notifier.domain.receipts import Forged, NotNow, Receipt, ReceiptRequest
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.readers import LateReader
from notifier.providers.registry import parse_provider_url
from tests.unit.providers.test_twilio_receipts import ACCOUNT, SID, TOKEN, fields_of, signature

PUBLIC = "https://notify.example.com/v1/receipts/twilio?key=a%26b"
TOLD = urlencode({"receipts_url": PUBLIC})


def account(url):
    return parse_provider_url(Channel.SMS, url, ProviderDefaults(sms_from="+15005550006"))


def read(url, signed_with=TOKEN):
    fields = fields_of()
    request = ReceiptRequest(
        headers={"Host": "10.0.0.7:8080", "X-Twilio-Signature": signature(PUBLIC, fields, signed_with)},
        body=urlencode(fields).encode(),
        query="key=another",
    )
    return account(url).receipts().read(request, Deadline(1))


@pytest.mark.parametrize(
    "url",
    [
        f"twilio://{ACCOUNT}:{TOKEN}@?{TOLD}",
        f"twilio://SK1:HUNTER22@?account={ACCOUNT}&auth_token={TOKEN}&{TOLD}",
    ],
)
def test_the_url_that_the_provider_was_told_is_the_one_that_is_signed(url):
    """Behind a proxy the request's own host and query may be others."""
    assert read(url) == [Receipt(SID, Status.DELIVERED)]
    assert read(url, signed_with="another") == Forged("wrong signature")


def test_the_secret_of_an_api_key_signs_nothing():
    assert read(f"twilio://SK1:HUNTER22@?account={ACCOUNT}&auth_token={TOKEN}&{TOLD}", "HUNTER22") == Forged(
        "wrong signature"
    )


@pytest.mark.parametrize(
    "url",
    [
        f"twilio://{ACCOUNT}:{TOKEN}@",
        f"twilio://SK1:HUNTER22@?account={ACCOUNT}&{TOLD}",
        "console://",
    ],
)
def test_an_account_that_can_not_tell_genuine_ones_has_no_receipts(url):
    assert account(url).receipts is None


def test_many_first_receipts_at_once_build_one_reader():
    """And one that can't be built says that it is for later, each time anew."""
    built = []
    ready = threading.Barrier(8)

    def build():
        built.append(1)
        if len(built) == 1:
            raise SetupError("no key")
        return SimpleNamespace(read=lambda request, deadline: [request, deadline.remaining() > 0])

    late = LateReader(build, 200)
    assert late("first") == NotNow("no key")

    def ask(_):
        ready.wait(60)
        return late("again")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [["again", True]] * 8
    assert len(built) == 2
    assert late.status == 200


def test_only_the_first_receipt_imports_what_reads_it():
    code = f"""
import sys
from notifier.domain.lanes import Channel
from notifier.providers.base import ProviderDefaults
from notifier.providers.registry import parse_provider_url
url = "twilio://AC1:TOKEN@?from=Acme&{TOLD}"
found = parse_provider_url(Channel.SMS, url, ProviderDefaults())
mine = {{name for name in sys.modules if name.startswith("notifier.providers.twilio")}}
assert mine == set(), mine
found.receipts()
mine = {{name for name in sys.modules if name.startswith("notifier.providers.twilio")}}
assert mine == {{f"notifier.providers.twilio_{{part}}" for part in ("receipts", "callbacks", "codes")}}, mine
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
