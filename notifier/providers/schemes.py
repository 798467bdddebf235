"""Every scheme that a provider's URL may have: one entry each, and nothing else knows their names.

Light on purpose: Settings check URLs with it, so no provider's module, HTTP library or SDK is imported.
"""

from collections.abc import Callable, Mapping

from notifier.domain.lanes import Channel
from notifier.domain.push_tokens import Platform
from notifier.providers import options
from notifier.providers.option_values import is_aws_region
from notifier.providers.options import Option
from notifier.providers.scheme import Part, ProviderUrl, Scheme, needs_receipts_url

__all__ = ["SCHEMES", "Part", "ProviderUrl", "Scheme", "plain_only_at_home"]

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def _no_plain_password(url: ProviderUrl) -> str | None:
    if url.user and url.host not in _LOOPBACK and not url.options.get("dangerous_plain_auth"):
        return (
            "would send the password unencrypted; take smtp+starttls:// or smtps://, "
            "or say dangerous_plain_auth=true"
        )
    return None


def _whole_signature(url: ProviderUrl) -> str | None:
    said = {name for name in ("dkim_selector", "dkim_key_file") if name in url.options}
    if len(said) == 1 or ("dkim_domain" in url.options and not said):
        return "to sign, both dkim_selector and dkim_key_file are needed; dkim_domain only beside them"
    return None


def plain_only_at_home(url: ProviderUrl) -> str | None:
    """Plain HTTP is for tests on this host; for every provider with the options of `options.HTTP`."""
    if url.options.get("dangerous_plain") and url.host not in _LOOPBACK:
        return f"the option dangerous_plain is only for one of {', '.join(sorted(_LOOPBACK))}"
    return None


def _one_sender(url: ProviderUrl) -> str | None:
    if "from" in url.options and "messaging_service" in url.options:
        return "takes one of from and messaging_service, not both"
    return None


def _twilio_receipts_need(url: ProviderUrl) -> str | None:
    """Twilio signs with the account's auth token; the secret of an API key signs nothing."""
    with_key = bool(url.user and url.user.startswith("SK"))
    return "auth_token" if with_key and "auth_token" not in url.options else needs_receipts_url(url)


def _one_region(url: ProviderUrl) -> str | None:
    if is_aws_region(url.host) and "region" in url.options:
        return "takes a region as its host, or an endpoint and the option region, not both"
    if not is_aws_region(url.host) and "region" not in url.options:
        return "needs a region as its host, as in @eu-west-1; beside an endpoint it needs the option region"
    return None


def _needs(option: str) -> Callable[[ProviderUrl], str | None]:
    """Receipts that can't be told from anybody's without this option; where they go is said in the account."""
    return lambda url: None if option in url.options else option


def _host_or_region(url: ProviderUrl) -> str | None:
    return "takes one of a host and a region, not both" if url.host and "region" in url.options else None


def _one_of(one: str, other: str) -> Callable[[ProviderUrl], str | None]:
    """A secret comes from one place."""

    def check(url: ProviderUrl) -> str | None:
        if (one in url.options) == (other in url.options):
            return f"needs one of the options {one} and {other}, not both"
        return None

    return check


def _smtp(
    name: str, port: int, own: Mapping[str, Option], *checks: Callable[[ProviderUrl], str | None]
) -> Scheme:
    return Scheme(
        name=name,
        channels=frozenset({Channel.EMAIL}),
        module="notifier.providers.smtp",
        options={**options.SMTP, **own},
        example=f"{name}://mail.example.com",
        kind="smtp",
        host=Part.NEEDED,
        port=port,
        user=Part.ALLOWED,
        password=Part.ALLOWED,
        timeout="smtp_timeout",
        sender=Channel.EMAIL,
        checks=(*checks, _whole_signature),
    )


_ALL = (
    Scheme(
        name="console",
        channels=frozenset(Channel),
        module="notifier.providers.console",
        options={**options.NAMED, **options.LIMIT},
        example="console://",
    ),
    _smtp("smtp", 25, options.PLAIN_AUTH, _no_plain_password),
    _smtp("smtp+starttls", 587, options.TLS),
    _smtp("smtps", 465, options.TLS),
    Scheme(
        name="ses",
        channels=frozenset({Channel.EMAIL}),
        module="notifier.providers.ses",
        options={**options.HTTP, **options.SES},
        example="ses://ACCESS_KEY:SECRET_KEY@eu-west-1",
        host=Part.NEEDED,
        port=443,
        user=Part.NEEDED,
        password=Part.NEEDED,
        user_means="access key ID",
        password_means="secret access key",  # noqa: S106 - what it is called
        sender=Channel.EMAIL,
        checks=(plain_only_at_home, _one_region),
        receipts="notifier.providers.ses_receipts",
        # SNS signs for every AWS customer alike: only the topic tells whose events they are.
        receipts_need=_needs("topic"),
    ),
    Scheme(
        name="sendgrid",
        channels=frozenset({Channel.EMAIL}),
        module="notifier.providers.sendgrid",
        options={**options.HTTP, **options.SENDGRID},
        example="sendgrid://:API_KEY@",
        host=Part.ALLOWED,
        port=443,
        password=Part.NEEDED,
        password_means="API key",  # noqa: S106 - what it is called
        sender=Channel.EMAIL,
        checks=(plain_only_at_home, _host_or_region),
        receipts="notifier.providers.sendgrid_receipts",
        receipts_need=_needs("verification_key"),
    ),
    Scheme(
        name="twilio",
        channels=frozenset({Channel.SMS}),
        module="notifier.providers.twilio",
        options={
            **options.HTTP,
            "from": options.SMS_FROM,
            "messaging_service": options.MESSAGING_SERVICE,
            "account": options.TWILIO_ACCOUNT,
            "receipts_url": options.RECEIPTS_URL,
            "auth_token": options.TWILIO_AUTH_TOKEN,
        },
        example="twilio://ACCOUNT_SID:AUTH_TOKEN@",
        host=Part.ALLOWED,
        default_host="api.twilio.com",
        port=443,
        user=Part.NEEDED,
        password=Part.NEEDED,
        user_means="account SID",
        password_means="auth token",  # noqa: S106 - what it is called
        sender=Channel.SMS,
        sender_options=("from", "messaging_service"),
        checks=(plain_only_at_home, _one_sender),
        receipts="notifier.providers.twilio_receipts",
        receipts_need=_twilio_receipts_need,
    ),
    Scheme(
        name="vonage",
        channels=frozenset({Channel.SMS}),
        module="notifier.providers.vonage",
        options={
            **options.HTTP,
            "from": options.SMS_FROM,
            "receipts_url": options.RECEIPTS_URL,
            **options.VONAGE_SIGNATURES,
        },
        example="vonage://API_KEY:API_SECRET@",
        host=Part.ALLOWED,
        default_host="rest.nexmo.com",
        port=443,
        user=Part.NEEDED,
        password=Part.NEEDED,
        user_means="API key",
        password_means="API secret",  # noqa: S106 - what it is called
        sender=Channel.SMS,
        checks=(plain_only_at_home,),
        receipts="notifier.providers.vonage_receipts",
        receipts_need=_needs("signature_secret"),
        # Its support's page on retries asks for this one; after another answer it may report for 24 hours.
        receipts_status=200,
    ),
    Scheme(
        name="fcm",
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.FCM}),
        module="notifier.providers.fcm",
        options={
            **options.HTTP,
            "credentials": options.GOOGLE_CREDENTIALS,
            "project": options.GOOGLE_PROJECT,
        },
        example="fcm://?credentials=/etc/notifier/service-account.json",
        host=Part.ALLOWED,
        default_host="fcm.googleapis.com",
        port=443,
        needed=("credentials",),
        extra="push",
        imports=("google.oauth2",),
        checks=(plain_only_at_home,),
    ),
    Scheme(
        name="apns",
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.APNS}),
        module="notifier.providers.apns",
        options={**options.HTTP, **options.APNS},
        example="apns://TEAM_ID@?key=/etc/notifier/AuthKey.p8&key_id=KEY_ID&topic=com.example.app",
        host=Part.ALLOWED,
        port=443,
        user=Part.NEEDED,
        user_means="team ID",
        needed=("key", "key_id", "topic"),
        extra="push",
        imports=("h2", "jwt"),
        checks=(plain_only_at_home,),
    ),
    Scheme(
        name="webpush",
        channels=frozenset({Channel.PUSH}),
        platforms=frozenset({Platform.WEBPUSH}),
        module="notifier.providers.webpush",
        options={**options.HTTP, **options.WEBPUSH},
        example="webpush://?vapid_key=/etc/notifier/vapid.pem&subject=mailto:ops@example.com",
        host=Part.ALLOWED,
        port=443,
        needed=("vapid_key", "subject"),
        extra="webpush",
        imports=("pywebpush",),
        checks=(plain_only_at_home,),
    ),
    Scheme(
        name="webhook+https",
        channels=frozenset({Channel.CHAT}),
        module="notifier.providers.webhook",
        options=options.WEBHOOK,
        example="webhook+https://hooks.example.com/notify?name=ops&secret=whsec_…",
        kind="webhook",
        host=Part.NEEDED,
        port=443,
        path=Part.ALLOWED,
        needed=("name",),
        checks=(plain_only_at_home, _one_of("secret", "secret_file")),
    ),
    Scheme(
        name="apprise",
        channels=frozenset({Channel.CHAT}),
        module="notifier.providers.apprise",
        options=options.APPRISE,
        example="apprise://?name=ops&url_file=/etc/notifier/ops.url",
        needed=("name",),
        extra="apprise",
        imports=("apprise",),
        checks=(_one_of("url", "url_file"),),
    ),
)

#: Scheme → what is known of it, in the order in which errors name them.
SCHEMES: Mapping[str, Scheme] = {one.name: one for one in _ALL}
