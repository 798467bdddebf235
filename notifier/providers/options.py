"""The options that a provider's URL may have and what the documentation says of them.

`schemes` puts them together for each scheme; the tables of options in `docs/providers/` are made from here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from notifier.providers.option_values import (
    NotAllowed,
    Value,
    account_name,
    apns_environment,
    apns_topic,
    apple_id,
    apprise_url,
    aws_region,
    between,
    configuration_set,
    contact,
    count,
    dns_name,
    email_sender,
    file_path,
    google_project,
    helo,
    hidden_query,
    key_file,
    key_path,
    messaging_service,
    push_hosts,
    rate,
    secret,
    sendgrid_region,
    session_token,
    signature_method,
    sms_sender,
    sns_topics,
    twilio_account,
    verification_key,
    web_url,
    webhook_secrets,
    weight,
    yes_or_no,
)

__all__ = ["HTTP", "LIMIT", "NAMED", "SMTP", "TLS", "NotAllowed", "Option", "Value"]


@dataclass(frozen=True, slots=True)
class Option:
    """What reads an option's value (raises `NotAllowed`), and its row in the documentation."""

    read: Callable[[str], Value]
    about: str
    default: str = "none"


#: Its part of the channel's messages; what the provider allows this account, `burst` of them at once.
LIMIT: Mapping[str, Option] = {
    "weight": Option(
        weight, "its part of the channel's messages beside other accounts, 1 to 100", "by order"
    ),
    "rate": Option(rate, "what the account may send over all processes: `14/s`, `600/m`, `1000/h`"),
    "burst": Option(count, "how many at once; needs `rate`", "0.2 s worth, at least 1"),
}
NAMED: Mapping[str, Option] = {
    "name": Option(
        account_name,
        "the account's name in rows, logs and metrics; a second one of the same name gets `-2`",
        "its kind, with the host that the URL names",
    )
}
SMTP: Mapping[str, Option] = {
    **NAMED,
    "from": Option(
        email_sender, "sender of this account, with or without a display name", "`NOTIFIER_EMAIL_FROM`"
    ),
    "timeout": Option(
        between(1, 300, "seconds"),
        "bound of the whole call, 1 to 300 seconds",
        "`NOTIFIER_SMTP_TIMEOUT_SECONDS`",
    ),
    "helo": Option(helo, "what EHLO says", "this host's full name, else its address"),
    "smtputf8": Option(
        yes_or_no,
        "say `true` if the server offers SMTPUTF8: addresses not ASCII before the @ are then taken",
        "`false`",
    ),
    "connection_messages": Option(count, "messages after which a connection is left for a fresh one", "100"),
    "connection_seconds": Option(
        between(1, 86_400, "seconds"), "seconds after which a connection is left for a fresh one", "300"
    ),
    "idle_seconds": Option(
        between(1, 3_600, "seconds"), "seconds without a message after which a connection is left", "30"
    ),
    **LIMIT,
    "dkim_selector": Option(dns_name, "sign with DKIM under this selector; needs `dkim_key_file`, see below"),
    "dkim_key_file": Option(key_path, "PEM file of the RSA private key to sign with"),
    "dkim_domain": Option(dns_name, "the domain that signs", "the sender's"),
}
TLS: Mapping[str, Option] = {
    "ca_file": Option(file_path, "PEM file of the authorities to trust instead", "the system's authorities"),
    "dangerous_no_verify": Option(yes_or_no, "take any certificate", "`false`"),
}
PLAIN_AUTH: Mapping[str, Option] = {
    "dangerous_plain_auth": Option(yes_or_no, "send the password unencrypted", "`false`")
}
#: Of every provider that is spoken to over HTTP.
HTTP: Mapping[str, Option] = {
    **NAMED,
    "timeout": Option(
        between(1, 300, "seconds"),
        "bound of the whole call, 1 to 300 seconds",
        "`NOTIFIER_PROVIDER_TIMEOUT_SECONDS`",
    ),
    **LIMIT,
    "idle_seconds": Option(
        between(1, 3_600, "seconds"), "seconds without a message after which a kept connection is left", "20"
    ),
    "ca_file": TLS["ca_file"],
    "dangerous_plain": Option(yes_or_no, "HTTP without TLS; only to this host itself, for tests", "`false`"),
}
SMS_FROM = Option(
    sms_sender,
    "sender: a number in E.164, a short code or a name of up to 11 characters",
    "`NOTIFIER_SMS_FROM`",
)
MESSAGING_SERVICE = Option(
    messaging_service, "SID of a messaging service (`MG…`) that chooses the sender; not together with `from`"
)
RECEIPTS_URL = Option(web_url, "where the provider is to report what became of each message")
TWILIO_ACCOUNT = Option(
    twilio_account,
    "SID of the account (`AC…`) where user and password are an API key (`SK…`) and its secret",
    "the user",
)
TWILIO_AUTH_TOKEN = Option(
    secret,
    "the account's auth token, which signs receipts, where user and password are an API key and its secret",
    "the password",
)
SENDGRID: Mapping[str, Option] = {
    "from": SMTP["from"],
    "region": Option(
        sendgrid_region,
        "where the account sends from: `global`, or `eu` for an EU regional subuser",
        "`global`",
    ),
    "sandbox": Option(
        yes_or_no, "SendGrid checks each message and sends none of them; for tests of an account", "`false`"
    ),
    "verification_key": Option(
        verification_key, "the public key of the account's Event Webhook, with which receipts are believed"
    ),
}
VONAGE_SIGNATURES: Mapping[str, Option] = {
    "signature_secret": Option(secret, "the account's signature secret, with which receipts are believed"),
    "signature_method": Option(
        signature_method,
        "the account's signature method, for receipts with a `sig`: `md5hash`, or `md5`, `sha1`, `sha256`, `sha512` "
        "for HMAC",
        "`sha256`",
    ),
}
GOOGLE_CREDENTIALS = Option(
    key_file, "the service account's key file (JSON), on the hosts of the workers", "none; needed"
)
GOOGLE_PROJECT = Option(google_project, "the Firebase project's ID", "that of the key file")
WEBPUSH: Mapping[str, Option] = {
    "vapid_key": Option(
        key_file,
        "the private key of the application server (P-256, PEM), on the hosts of the workers",
        "none; needed",
    ),
    "subject": Option(
        contact, "whom a push service tells of trouble: `mailto:` or an https URL", "none; needed"
    ),
    "hosts": Option(
        push_hosts,
        "whose endpoints are sent to: names, `*.example.com` for all below one, `*` for any, joined by commas",
        "the push services of Chrome, Firefox, Safari and Edge",
    ),
    "dangerous_private": Option(
        yes_or_no, "endpoints on any port of any address, private ones too; for tests", "`false`"
    ),
}
APNS: Mapping[str, Option] = {
    "key": Option(
        key_file, "the authentication key (`AuthKey_….p8`), on the hosts of the workers", "none; needed"
    ),
    "key_id": Option(apple_id, "the key's ID", "none; needed"),
    "topic": Option(apns_topic, "the application's bundle ID", "none; needed"),
    "environment": Option(
        apns_environment, "`production`, or `sandbox` for applications run from Xcode", "`production`"
    ),
    "idle_seconds": Option(
        between(1, 3_600, "seconds"), "seconds without a message after which a kept connection is left", "600"
    ),
}
SES: Mapping[str, Option] = {
    "from": SMTP["from"],
    "configuration_set": Option(
        configuration_set, "the configuration set to send with, whose events are published"
    ),
    "topic": Option(
        sns_topics, "ARN of the SNS topic whose receipts are believed; several joined by commas, see below"
    ),
    "session_token": Option(session_token, "of an access key that was lent (STS) and ends"),
    "region": Option(
        aws_region, "the region to sign for, where the host is an endpoint and not a region", "the host"
    ),
}
#: Of a chat, which is one account and has no other beside it.
CHAT: Mapping[str, Option] = {
    **{name: option for name, option in HTTP.items() if name not in {"weight", "dangerous_plain"}},
    "name": Option(account_name, "what requests call it, each name once", "none; needed"),
}
WEBHOOK: Mapping[str, Option] = {
    **CHAT,
    "secret": Option(
        webhook_secrets,
        "what it is signed with: `whsec_…`; while it is changed the new one, a comma and the old one",
        "none; needed, or `secret_file`",
    ),
    "secret_file": Option(key_file, "a file that holds the secret instead, on the hosts of the workers"),
    "query": Option(hidden_query, "the query of the receiver's URL, percent-encoded: `query=key%3Dabc`"),
    "dangerous_private": Option(yes_or_no, "a receiver at any address, private ones too", "`false`"),
    "dangerous_plain": HTTP["dangerous_plain"],
}
APPRISE: Mapping[str, Option] = {
    **CHAT,
    "url": Option(
        apprise_url,
        "the service's URL as Apprise takes it, percent-encoded as a whole",
        "none; or `url_file`",
    ),
    "url_file": Option(key_file, "a file that holds that URL as it is, on the hosts of the workers"),
}
