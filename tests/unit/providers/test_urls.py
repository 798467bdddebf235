"""Provider URLs: what is taken, what is refused, and that no refusal tells a secret."""

import dataclasses
import ssl
import subprocess
import sys
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.lanes import Channel
from notifier.providers import schemes
from notifier.providers.base import ProviderDefaults
from notifier.providers.registry import accounts, parse_provider_url
from notifier.providers.senders import Sender
from notifier.providers.smtp import config_of
from notifier.providers.smtp_connect import tls_context
from notifier.providers.urls import (
    SCHEMES,
    ProviderUrlError,
    how_to_install,
    is_installed,
    missing_extra,
    parse_url,
)

DEFAULTS = ProviderDefaults()
#: A verification key as far as its form goes.
SENDGRID_KEY = f"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE{'A' * 86}=="


def config(url: str):
    return config_of(parse_url(Channel.EMAIL, url), DEFAULTS)


def test_a_full_url_is_understood():
    """User, password and options are percent-decoded and typed."""
    found = config(
        "smtp+starttls://us%40er:p%C3%A4ss%2Fw@Mail.Example.com:2587?from=Acme%20News%20<news@acme.example>"
        "&helo=out.acme.example&connection_messages=7&idle_seconds=2.5&ca_file=/etc/ca.pem"
    )
    assert (found.user, found.password, found.host, found.port) == (
        "us@er",
        "päss/w",
        "mail.example.com",
        2587,
    )
    assert found.sender == Sender("news@acme.example", "Acme News")
    assert (found.helo, found.connection_messages, found.idle_seconds) == ("out.acme.example", 7, 2.5)
    assert (found.verify, found.ca_file) == (True, "/etc/ca.pem")
    assert found.dkim_key_file == ""


def test_who_signs_is_understood():
    """The domain is the sender's unless another is named."""
    found = config("smtp://h?from=a@News.acme.example&dkim_selector=s1&dkim_key_file=/etc/dkim.pem")
    signs = (found.dkim_selector, found.dkim_domain, found.dkim_key_file)
    assert signs == ("s1", "news.acme.example", "/etc/dkim.pem")
    found = config(
        "smtp://h?dkim_selector=s1&dkim_domain=Acme.Example&dkim_key_file=/k&from=a@news.acme.example"
    )
    assert found.dkim_domain == "acme.example"


@pytest.mark.parametrize(("scheme", "port"), [("smtp", 25), ("smtp+starttls", 587), ("smtps", 465)])
def test_default_ports(scheme, port):
    """Each scheme has its registered port."""
    assert config(f"{scheme}://mail.example.com").port == port
    assert config(f"{scheme}://[::1]").host == "::1"
    assert config(f"{scheme}://bücher.example").host == "xn--bcher-kva.example"


def test_verification_is_on_unless_dangerously_not():
    """Weaker protection has a name that says so."""
    assert config("smtps://mail.example.com").verify
    assert not config("smtps://mail.example.com?dangerous_no_verify=true").verify


def test_tls_is_1_2_or_newer_and_verified():
    """Only the dangerous option takes the verification away, and nothing the version."""
    context = tls_context(config("smtps://mail.example.com"))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    unverified = tls_context(config("smtps://mail.example.com?dangerous_no_verify=true"))
    assert unverified.minimum_version == ssl.TLSVersion.TLSv1_2
    assert unverified.verify_mode == ssl.CERT_NONE


REFUSED = [
    ("", "console://"),
    ("smtp:mail.example.com", "smtp://"),
    ("gopher://mail.example.com", "gopher:// is no provider for email"),
    ("user:HUNTER22@mail.example.com", "must begin with"),
    ("console://HUNTER22@x", "no host"),
    ("console://?color=red", "color is unknown; allowed: name"),
    ("smtp://", "needs a host"),
    ("smtp://mail example.com", "blanks"),
    ("smtp://mail.example.com\n", "control"),
    ("smtp://mail.example.com:0", "port"),
    ("smtp://mail.example.com:99999", "port"),
    ("smtp://mail.example.com/path", "may follow the host"),
    ("smtps://user:HUNTER#22@mail.example.com", "percent-encoded"),
    ("smtps://user:HUN?TER22@mail.example.com", "percent-encoded"),
    ("smtps://user:HUN/TER22@mail.example.com", "percent-encoded"),
    ("smtps://user:HUNTER22%@mail.example.com", "%25"),
    ("smtps://user:HUNTER22%FF@mail.example.com", "UTF-8"),
    ("smtps://user:HUNTER22%0d@mail.example.com", "control"),
    ("smtps://user@mail.example.com", "needs a password"),
    ("smtps://:HUNTER22@mail.example.com", "needs a password"),
    ("smtp://user:HUNTER22@mail.example.com", "unencrypted"),
    ("smtp://mail.example.com?weight=0", "the option weight must be a whole number from 1 to 100"),
    ("smtp://mail.example.com?rate=14", "the option rate must be a number and a unit, such as 14/s"),
    ("smtp://mail.example.com?rate=0/s", "the option rate must be a number and a unit, such as 14/s"),
    ("smtp://mail.example.com?burst=3", "the option burst needs a rate beside it"),
    ("smtp://mail.example.com?rate=14/s&burst=0", "the option burst must be a whole number"),
    ("smtp://mail.example.com?weight=101", "the option weight must be a whole number from 1 to 100"),
    ("smtp://mail.example.com?tiemout=5", "tiemout is unknown; allowed: name, from, timeout"),
    ("smtp://mail.example.com?timeout=0", "timeout must be a number of seconds from 1 to 300"),
    ("smtp://mail.example.com?timeout=nan", "timeout must be"),
    ("smtp://mail.example.com?timeout=5&timeout=6", "stands twice"),
    ("smtp://mail.example.com?dangerous_no_verify=true", "dangerous_no_verify is unknown"),
    ("smtps://mail.example.com?dangerous_no_verify=yes", "must be true or false"),
    ("smtp://mail.example.com?from=nobody", "from must be"),
    ("smtp://mail.example.com?from=a@x.com,b@y.com", "from must be"),
    ("smtp://mail.example.com?helo=a%20b", "helo must be"),
    ("smtp://mail.example.com?name=UPPER", "name must be"),
    ("smtp://mail.example.com?connection_messages=0", "whole number"),
    ("smtps://mail.example.com?ca_file=ca.pem", "absolute path"),
    ("smtp://mail.example.com?dkim_selector=s1&dkim_key_file=key.pem", "absolute path of a file with an RSA"),
    ("smtp://mail.example.com?dkim_selector=s1", "both dkim_selector and dkim_key_file are needed"),
    ("smtp://mail.example.com?dkim_key_file=/HUNTER22", "both dkim_selector and dkim_key_file are needed"),
    ("smtp://mail.example.com?dkim_domain=acme.example", "dkim_domain only beside them"),
    ("smtp://mail.example.com?dkim_selector=a;d=evil&dkim_key_file=/k", "dkim_selector must be labels"),
    (
        "smtp://mail.example.com?dkim_selector=s1&dkim_key_file=/k&dkim_domain=-a.example",
        "dkim_domain must be",
    ),
]


@pytest.mark.parametrize(("url", "says"), REFUSED)
def test_a_wrong_url_is_refused_with_what_is_allowed(url, says):
    """The text names the scheme or option and what is allowed, and never the secret."""
    with pytest.raises(ProviderUrlError) as told:
        parse_provider_url(Channel.EMAIL, url, DEFAULTS)
    assert says in str(told.value)
    assert not any(part in str(told.value) for part in ("HUN", "TER22", "UNTER"))
    assert told.value.__cause__ is None


TWILIO_REFUSED = [
    ("twilio://", "needs the account SID, as in twilio://ACCOUNT_SID:AUTH_TOKEN@"),
    ("twilio://HUNTER22@", "needs the auth token"),
    ("twilio://:HUNTER22@", "needs the account SID"),
    ("twilio://AC1:HUNTER22", "can't be read"),
    ("twilio://AC1:HUNTER22@/path?from=Acme", "nothing but ?options"),
    ("twilio://AC1:HUNTER22@", "needs a sender: ?from=, ?messaging_service= or NOTIFIER_SMS_FROM"),
    ("twilio://AC1:HUNTER22@?from=twelve%20letters", "the option from must be a number in E.164"),
    ("twilio://AC1:HUNTER22@?messaging_service=MG1", "must be the SID of a messaging service"),
    (f"twilio://AC1:HUNTER22@?from=Acme&messaging_service=MG{'0' * 32}", "not both"),
    ("twilio://SK1:HUNTER22@?from=Acme&account=SK1", "must be an account SID"),
    ("twilio://AC1:HUNTER22@?from=Acme&dangerous_plain=true", "only for one of"),
    ("twilio://AC1:HUNTER22@proxy.example?from=Acme&dangerous_plain=true", "only for one of"),
    ("twilio://AC1:HUNTER22@?from=Acme&receipts_url=ftp://x", "must be a whole URL"),
]


@pytest.mark.parametrize(("url", "says"), TWILIO_REFUSED)
def test_a_wrong_sms_url_is_refused_with_what_is_allowed(url, says):
    """What the scheme needs is named by the provider's own words, and no secret is told."""
    with pytest.raises(ProviderUrlError) as told:
        parse_provider_url(Channel.SMS, url, DEFAULTS)
    assert says in str(told.value)
    assert "HUNTER22" not in str(told.value)


def test_a_host_that_need_not_stand_has_its_default():
    """Without a host the provider's own is taken, and the account's name has none."""
    usual = parse_url(Channel.SMS, "twilio://AC1:t@?from=Acme")
    assert (usual.host, usual.port, usual.name) == ("api.twilio.com", 443, "twilio")
    other = parse_url(Channel.SMS, "twilio://AC1:t@127.0.0.1:8080?from=Acme&dangerous_plain=true")
    assert (other.host, other.port, other.name) == ("127.0.0.1", 8080, "twilio-127.0.0.1")


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.PUSH])
def test_smtp_is_for_email_only(channel):
    """Another channel says which schemes it takes."""
    with pytest.raises(ProviderUrlError, match=rf"smtp:// is no provider for {channel}; it takes console://"):
        parse_provider_url(channel, "smtp://mail.example.com", DEFAULTS)


@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused(text):
    """No text ends in another error."""
    for url in (text, f"smtps://{text}", f"smtps://u:p@h?{text}", f"smtps://h?from={text}"):
        with suppress(ProviderUrlError):
            assert parse_url(Channel.EMAIL, url).scheme in SCHEMES[Channel.EMAIL]


def test_names_are_unique_within_a_channel():
    """Equal names get a number; names hold no secret; order is kept."""
    urls = [
        "smtps://u:HUNTER22@a.example",
        "smtp://a.example",
        "console://?name=smtp-a.example-2",
        "console://",
        "console://",
    ]
    found = accounts({Channel.EMAIL: urls, Channel.SMS: ["console://"]}, DEFAULTS)
    names = [account.name for account in found[Channel.EMAIL]]
    assert names == ["smtp-a.example", "smtp-a.example-2", "smtp-a.example-2-2", "console", "console-2"]
    assert [account.name for account in found[Channel.SMS]] == ["console"]


def test_timeouts_and_utf8_come_from_the_url_else_the_defaults():
    """An account says how long a call may take, and whether non-ASCII local parts can be sent to."""
    smtp = parse_provider_url(Channel.EMAIL, "smtp://a.example", DEFAULTS)
    console = parse_provider_url(Channel.EMAIL, "console://", DEFAULTS)
    other = parse_provider_url(Channel.EMAIL, "smtp://a.example?timeout=7&smtputf8=true", DEFAULTS)
    assert (smtp.timeout, console.timeout, other.timeout) == (30.0, 20.0, 7.0)
    assert (smtp.utf8_addresses, other.utf8_addresses) == (False, True)


def test_a_bad_default_sender_is_told_at_once():
    """Not at the first send."""
    with pytest.raises(ProviderUrlError, match="sender"):
        parse_provider_url(Channel.EMAIL, "smtp://a.example", ProviderDefaults(email_from="nobody"))


def test_naming_accounts_imports_no_provider():
    """The HTTP process reads URLs, names and timeouts without loading what would send."""
    code = (
        "import sys\n"
        "from notifier.domain.lanes import Channel\n"
        "from notifier.providers.registry import ProviderDefaults, accounts\n"
        f"sendgrid = 'sendgrid://:k@?verification_key={SENDGRID_KEY}'\n"
        "urls = {Channel.EMAIL: ['smtp://a.example', 'console://', sendgrid]}\n"
        "urls[Channel.SMS] = ['twilio://AC1:t@?from=Acme', 'vonage://k:s@?from=Acme&signature_secret=s']\n"
        "urls[Channel.PUSH] = ['fcm://?credentials=/k', 'webpush://?vapid_key=/k&subject=mailto:a@b.example']\n"
        "found = accounts(urls, ProviderDefaults())\n"
        "assert not {'google.auth', 'jwt', 'h2', 'pywebpush', 'py_vapid', 'cryptography'} & set(sys.modules)\n"
        "assert not {'urllib3', 'ssl', 'notifier.providers.twilio'} & set(sys.modules)\n"
        "assert 'smtplib' not in sys.modules and 'notifier.providers.smtp' not in sys.modules\n"
        "assert 'notifier.providers.console' not in sys.modules\n"
        "found[Channel.EMAIL][0].build()\n"
        "assert 'smtplib' in sys.modules and 'urllib3' not in sys.modules\n"
        "parts = ('http_', 'sendgrid', 'twilio', 'vonage', 'sms')\n"
        "assert not [n for n in sys.modules if n.startswith(tuple('notifier.providers.' + p for p in parts))]\n"
        "found[Channel.SMS][0].build()\n"
        "assert 'urllib3' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_not_installed_is_named_with_how_to_install_it():
    """At the start and by doctor, not at the first send; nothing is imported for it."""
    scheme = dataclasses.replace(schemes.SCHEMES["fcm"], imports=("json", "nobody.has.this"))
    assert not is_installed(scheme)
    assert is_installed(dataclasses.replace(scheme, imports=("json.decoder",)))
    assert how_to_install(scheme) == "pip install 'notifier[push]'"
    assert missing_extra(parse_url(Channel.PUSH, "fcm://?credentials=/k.json")) is None


def test_an_option_that_is_needed_is_asked_for():
    with pytest.raises(ProviderUrlError, match="fcm: needs the option credentials, as in fcm://"):
        parse_url(Channel.PUSH, "fcm://?rate=1/s")
