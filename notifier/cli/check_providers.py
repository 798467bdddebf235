"""Doctor's look at the providers: whether each SMTP account lets us in, the others can be reached. Nothing is sent."""

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module

from notifier.cli.check_receipts import check_receipts
from notifier.cli.checks import Finding, failed, ok, warning
from notifier.cli.words import printable
from notifier.domain.lanes import Channel
from notifier.providers.base import Deadline, ProviderDefaults, SetupError
from notifier.providers.registry import named_urls
from notifier.providers.schemes import SCHEMES
from notifier.providers.urls import ProviderUrl
from notifier.settings import Settings

_SECONDS = 5.0
_SMTP = "notifier.providers.smtp"


def check_providers(settings: Settings) -> Iterator[Finding]:
    """Each channel's providers in order."""
    defaults = ProviderDefaults(
        connect_timeout=min(settings.connect_timeout_seconds, _SECONDS),
        email_from=settings.email_from,
        sms_from=settings.sms_from,
    )
    for channel, given in settings.providers.items():
        # Settings have let no URL through that can't be read.
        for url in named_urls(channel, given):
            yield _account(channel, url, defaults, settings.production)
            yield from check_receipts(channel, url, settings.public_url)


def _account(channel: Channel, url: ProviderUrl, defaults: ProviderDefaults, production: bool) -> Finding:
    check = f"{channel} provider"
    if url.scheme == "console":
        if production:
            advice = f"set NOTIFIER_{channel.upper()}_PROVIDERS to a real provider"
            return warning(check, f"{url.name} only prints, in production", advice)
        return ok(check, f"{url.name} prints what it is given")
    if SCHEMES[url.scheme].module == _SMTP:
        refusal, good = _try_smtp(url, defaults), "lets us in"
    else:
        refusal, good = _try_out(url, channel, defaults)
    name = f"{url.name} ({url.scheme}, {url.host}:{url.port})" if url.host else f"{url.name} ({url.scheme})"
    if refusal is None:
        return ok(check, f"{name} {good}")
    return failed(check, f"{name}: {refusal}", "correct its URL, or mend the server; nothing was sent")


def _try_out(url: ProviderUrl, channel: Channel, defaults: ProviderDefaults) -> tuple[str | None, str]:
    """What the provider's own `try_out` says is wrong, None where it has none or all is well; and what is good."""
    try:
        provider = import_module(SCHEMES[url.scheme].module).build(url, channel, defaults)
    except SetupError as unbuilt:
        return printable(str(unbuilt)), ""
    try_out = getattr(provider, "try_out", None)
    try:
        wrong = None if try_out is None else try_out(Deadline(_SECONDS))
        good = "is set up" if try_out is None else "answers"
        return (None if wrong is None else printable(wrong)), good
    finally:
        provider.close()


def _try_smtp(url: ProviderUrl, defaults: ProviderDefaults) -> str | None:
    """Connect, greet and log in, then leave; what went wrong, or None."""
    smtp, connecting = (import_module(f"notifier.providers.{name}") for name in ("smtp", "smtp_connect"))
    try:
        config = smtp.config_of(url, defaults)
    except ValueError as wrong:
        return f"NOTIFIER_EMAIL_FROM {printable(str(wrong))}"
    try:
        smtp.signer_of(config)
    except smtp.NoSigner as none:
        return str(none)
    try:
        context = None if config.scheme == "smtp" else connecting.tls_context(config)
    except OSError:
        return "the option ca_file can't be read"
    try:
        connecting.connect(config, context, Deadline(_SECONDS), datetime.now(UTC)).leave()
    except connecting.NoSession as none:
        answer = none.outcome.answer
        said = " ".join(filter(None, (answer.code, answer.text))) if answer else ""
        return printable(f"{none.outcome.reason}{': ' if said else ''}{said}")
    return None
