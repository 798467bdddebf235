"""A look-alike of every provider for one run: what it takes is kept by number, and those that report sign what they say.

Each message bears its number in its text and in its recipient. The number says what it is (`message`), where it must go,
and what a provider with receipts says of it in the end (`word_of`).
"""

import base64
import email
import email.policy
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from notifier.providers.sendgrid_receipts import SIGNATURE, TIMESTAMP
from tests.acceptance.corridor import test_chat as chats
from tests.nodes import apple, browser
from tests.nodes.aws import Ses
from tests.nodes.google import PROJECT, Google, google, token
from tests.nodes.http2 import Http2Server, http2_server
from tests.nodes.names import leading
from tests.nodes.smtp import SmtpServer, smtp_server
from tests.nodes.sns import HOST, TOPIC, Sns
from tests.nodes.web import Heard, Said, WebServer, authority, web_server
from tests.unit.providers import test_sendgrid_receipts as sendgrid
from tests.unit.providers import test_ses_receipts as ses
from tests.unit.providers import test_twilio_receipts as twilio
from tests.unit.providers import test_vonage_receipts as vonage

TEXT = "Pr1vate-text"
SECRETS = {
    "smtp": "smtp-s3cret",
    "ses": "ses/s3cret+KEY",
    "sendgrid": "SG.s3cret-k3y",
    "twilio": "twilio-s3cret",
    "vonage": "vonage-s3cret",
    "fcm": "ya29.s3cret-access",
}
TWILIO_ACCOUNT = "AC" + "1" * 32
#: What a provider is told, and signs; a proxy brings it to a door.
PUBLIC = "https://notify.example.com/v1/receipts/"
PRIORITIES = ("high", "medium", "low")
#: Each of these so often for each priority. E-mail and SMS are shared out among the channel's accounts.
SHAPES = ("email",) * 30 + ("sms",) * 20 + ("fcm", "apns", "webpush", "ops", "dev") * 3
TOTAL = len(SHAPES) * len(PRIORITIES)
_NUMBER = re.compile(re.escape(TEXT) + r"-(\d+)\.")


def shape_of(number: int) -> str:
    """A channel, or a push platform, or a chat."""
    return SHAPES[number // len(PRIORITIES)]


def word_of(number: int) -> str | None:
    """What is said of it in the end by a provider that reports; None: only what may still change."""
    return ("delivered", "undelivered", None)[number // len(PRIORITIES) % 3]


def number_in(text: str) -> int:
    """Which message this is."""
    (found,) = set(_NUMBER.findall(text))
    return int(found)


@dataclass
class Reporter:
    """How one provider calls back, what it says, and how it signs that."""

    #: From a message's reference, number and word to a signed request; None for the word: what may still change.
    request: Callable[[str, int, str | None], tuple[bytes, dict[str, str]]]
    success: int
    references: dict[int, str] = field(default_factory=dict)
    #: The number of the one that was reported before it was answered for, and what the door said to that.
    early: dict[int, int] = field(default_factory=dict)
    begun: bool = False


class Providers:
    """All of them, running. `taken`: by provider, the numbers in the order in which they were taken."""

    def __init__(self) -> None:
        self.taken: dict[str, list[int]] = {}
        self.ports: list[int] = []
        self.subscriptions: dict[int, browser.Subscription] = {}
        self.sns = Sns()
        self.settings: dict[str, str] = {}
        self.smtp: SmtpServer
        self._ses = Ses(secret=SECRETS["ses"])
        self._lock = threading.Lock()
        self.reporters = {
            "ses": Reporter(self._by_sns, 204),
            "sendgrid": Reporter(by_sendgrid, 204),
            "twilio": Reporter(by_twilio, 204),
            "vonage": Reporter(by_vonage, 200),
        }

    def message(self, number: int) -> dict[str, object]:
        """The request for the message of this number."""
        shape, priority = shape_of(number), PRIORITIES[number % len(PRIORITIES)]
        text = f"{TEXT}-{number}."
        match shape:
            case "email":
                channel, content = "email", {"subject": "Number", "text": text}
            case "sms":
                channel, content = "sms", {"text": text}
            case "ops" | "dev":
                channel, content = "chat", {"title": "Number", "text": text}
            case _:
                channel, content = "push", {"title": "Number", "text": text}
        return {"channel": channel, "priority": priority, "to": self.recipient(number), "content": content}

    def recipient(self, number: int) -> dict[str, object]:
        """Whom it goes to: each to another."""
        match shape_of(number):
            case "email":
                return {"email": f"private{number}@example.com"}
            case "sms":
                return {"phone": f"+1415555{2000 + number}"}
            case "fcm":
                return {"push_token": f"dGVzdA-private:APA91b{number}", "platform": "fcm"}
            case "apns":
                return {"push_token": f"ab12{number:060x}", "platform": "apns"}
            case "webpush":
                return {
                    "push_token": self._subscription(number).recipient.subscription,
                    "platform": "webpush",
                }
            case shape:
                return {"chat": shape}

    def _subscription(self, number: int) -> browser.Subscription:
        endpoint = f"https://push.example.com/wpush/private-{number}"
        return self.subscriptions.setdefault(number, browser.Subscription(endpoint))

    def report(self, name: str, number: int) -> int:
        """Tell a door the last word on one message; the status of its answer."""
        reporter = self.reporters[name]
        body, headers = reporter.request(reporter.references[number], number, word_of(number))
        return self.post(number, name, body, headers)

    def post(self, number: int, name: str, body: bytes, headers: Mapping[str, str]) -> int:
        """To one of the doors, in turn."""
        port = self.ports[number % len(self.ports)]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/v1/receipts/{name}", data=body, headers=dict(headers)
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def take(self, name: str, number: int, to: str, reference: str = "") -> None:
        """Keep it; of those that report, the first with a last word is reported before anybody knows that it was taken."""
        whole = json.dumps(self.recipient(number))
        assert to in whole, f"{name} was given {to} for {whole}"
        reporter = self.reporters.get(name)
        with self._lock:
            self.taken.setdefault(name, []).append(number)
            if reporter is None:
                return
            reporter.references[number] = reference
            early = not reporter.begun and word_of(number) is not None
            reporter.begun |= early
        if early:
            reporter.early[number] = self.report(name, number)

    def on_ses(self, heard: Heard) -> Said:
        """Its look-alike checks the signature."""
        with self._lock:
            said = self._ses(heard)
        asked = json.loads(heard.body)
        mime = email.message_from_bytes(
            base64.b64decode(asked["Content"]["Raw"]["Data"]), policy=email.policy.default
        )
        (to,) = asked["Destination"]["ToAddresses"]
        assert said.status == 200, said
        self.take("ses", number_in(mime.get_content()), to, json.loads(said.body)["MessageId"])
        return said

    def on_sendgrid(self, heard: Heard) -> Said:
        asked = json.loads(heard.body)
        assert heard.headers["authorization"] == f"Bearer {SECRETS['sendgrid']}"
        number = number_in(asked["content"][0]["value"])
        reference = f"taken-{number}"
        self.take("sendgrid", number, asked["personalizations"][0]["to"][0]["email"], reference)
        return Said(202, headers={"X-Message-Id": reference})

    def on_twilio(self, heard: Heard) -> Said:
        assert heard.form["StatusCallback"].startswith(f"{PUBLIC}twilio?notification=ntf_")
        number = number_in(heard.form["Body"])
        self.take("twilio", number, heard.form["To"], f"SM{number:032x}")
        return Said(201, json.dumps({"sid": f"SM{number:032x}", "status": "queued"}).encode())

    def on_vonage(self, heard: Heard) -> Said:
        assert (heard.form["callback"], heard.form["api_secret"]) == (PUBLIC + "vonage", SECRETS["vonage"])
        number = number_in(heard.form["text"])
        self.take("vonage", number, f"+{heard.form['to']}", f"0C{number:014X}")
        part = {"status": "0", "message-id": f"0C{number:014X}"}
        return Said(200, json.dumps({"message-count": "1", "messages": [part]}).encode())

    def on_fcm(self, heard: Heard) -> Said:
        assert heard.headers["authorization"] == f"Bearer {SECRETS['fcm']}"
        asked = json.loads(heard.body)["message"]
        self.take("fcm", number_in(asked["notification"]["body"]), asked["token"])
        return Said(200, json.dumps({"name": f"projects/{PROJECT}/messages/1"}).encode())

    def on_apns(self, heard: Heard) -> Said:
        alert = json.loads(heard.body)["aps"]["alert"]
        self.take("apns", number_in(alert["body"]), heard.path.removeprefix("/3/device/"))
        return Said(200, headers={"apns-id": heard.headers["apns-id"]})

    def on_webpush(self, heard: Heard) -> Said:
        """Only the browser that holds the subscription's key can read it."""
        number = int(heard.path.rpartition("-")[2])
        shown = self.subscriptions[number].decrypted(heard.body)["notification"]
        assert number_in(shown["body"]) == number
        self.take("webpush", number, heard.path)
        return Said(201)

    def on_webhook(self, heard: Heard) -> Said:
        assert chats.is_signed(heard)
        self.take("ops", number_in(json.loads(heard.body)["data"]["text"]), "ops")
        return Said(204)

    def on_apprise(self, heard: Heard) -> Said:
        self.take("dev", number_in(json.loads(heard.body)["message"]), "dev")
        return Said(200)

    def by_smtp(self) -> list[int]:
        """What the mail server has accepted."""
        numbers = []
        for mail in self.smtp.mailbox.mails:
            mime = email.message_from_bytes(mail.data, policy=email.policy.default)
            numbers.append(number_in(mime.get_content()))
            assert mail.recipients == (self.recipient(numbers[-1])["email"],)
        return numbers

    def _by_sns(self, reference: str, number: int, word: str | None) -> tuple[bytes, dict[str, str]]:
        kinds = {
            "delivered": {"kind": "Delivery", "delivery": {}},
            "undelivered": {"kind": "Bounce", "bounce": ses.bounce("Permanent", "General")},
            None: {"kind": "Send", "send": {}},
        }
        said = ses.event(**kinds[word]).replace(ses.ID, reference)
        headers = {"Content-Type": "text/plain", "x-amz-sns-message-type": "Notification"}
        return self.sns.notification(said, version=str(1 + number % 2)), headers


def by_sendgrid(reference: str, _number: int, word: str | None) -> tuple[bytes, dict[str, str]]:
    more = {"type": "bounce", "bounce_classification": "Invalid Address"} if word == "undelivered" else {}
    named = {"delivered": "delivered", "undelivered": "bounce", None: "processed"}[word]
    events = [sendgrid.event(named, sg_message_id=f"{reference}.recvd-5f9ffdf494-1.0", **more)]
    moment, body = int(time.time()), json.dumps(events).encode() + b"\r\n"
    headers = {SIGNATURE: sendgrid.signature(body, moment), TIMESTAMP: str(moment)}
    return body, {"Content-Type": "application/json", **headers}


def by_twilio(reference: str, number: int, word: str | None) -> tuple[bytes, dict[str, str]]:
    fields = {
        "AccountSid": TWILIO_ACCOUNT,
        "MessageSid": reference,
        "To": f"+1415555{2000 + number}",
        "MessageStatus": word or "sent",
    } | ({"ErrorCode": "30005"} if word == "undelivered" else {})
    signature = twilio.signature(PUBLIC + "twilio", fields, SECRETS["twilio"])
    return urlencode(fields).encode(), {"X-Twilio-Signature": signature}


def by_vonage(reference: str, number: int, word: str | None) -> tuple[bytes, dict[str, str]]:
    """By a JWT or, every other one, by a `sig`."""
    moment = int(time.time())
    status, error = {
        "delivered": ("delivered", "0"),
        "undelivered": ("failed", "3"),
        None: ("buffered", "0"),
    }[word]
    fields = vonage.fields_of(
        **{"messageId": reference, "status": status, "err-code": error, "timestamp": str(moment)}
    )
    if number % 2:
        body = urlencode(vonage.signed(fields)).encode()
        return body, {"Content-Type": "application/x-www-form-urlencoded"}
    body = json.dumps(fields).encode()
    jwt = vonage.token(vonage.claims_of(body, iat=moment))
    return body, {"Content-Type": "application/json", "Authorization": f"Bearer {jwt}"}


@contextmanager
def every_provider(folder: Path) -> Iterator[Providers]:
    """All look-alikes on loopback; their `settings` are for a fleet."""
    made = Providers()
    with ExitStack() as stack:
        start = stack.enter_context
        web: Callable[[Callable[[Heard], Said]], WebServer] = lambda on: start(web_server(on))  # noqa: E731
        made.smtp = start(smtp_server(login=("ada", SECRETS["smtp"])))
        # SNS's certificates come by https from a name of Amazon's, which leads here for the fleet's processes.
        context, ca_file = authority(folder, HOST)
        sns = start(web_server(made.sns.answer, context))
        made.settings = {
            **leading(folder, {HOST: sns.port}),
            "NOTIFIER_EMAIL_PROVIDERS": _mail(made, web, ca_file),
            "NOTIFIER_SMS_PROVIDERS": _texts(made, web),
            "NOTIFIER_PUSH_PROVIDERS": _pushes(
                made,
                web,
                start(google(folder, token(SECRETS["fcm"]))),
                start(http2_server(made.on_apns)),
                folder,
            ),
            "NOTIFIER_CHAT_PROVIDERS": chats.destinations(
                web(made.on_webhook).port, web(made.on_apprise).port
            ),
        }
        yield made


Start = Callable[[Callable[[Heard], Said]], WebServer]


def _mail(made: Providers, web: Start, ca_file: Path) -> str:
    own = urlencode({"name": "ses", "region": "eu-west-1", "topic": TOPIC, "ca_file": str(ca_file)})
    ses_secret = urlencode({"": SECRETS["ses"]})[1:]
    grid = urlencode({"name": "sendgrid", "verification_key": sendgrid.shown()})
    common = "from=news@acme.example&weight=1&dangerous_plain=true"
    return (
        f"smtp://ada:{SECRETS['smtp']}@127.0.0.1:{made.smtp.port}?name=smtp&weight=1&dangerous_plain_auth=true "
        f"ses://AKIDEXAMPLE:{ses_secret}@127.0.0.1:{web(made.on_ses).port}?{own}&{common} "
        f"sendgrid://:{SECRETS['sendgrid']}@127.0.0.1:{web(made.on_sendgrid).port}?{grid}&{common}"
    )


def _texts(made: Providers, web: Start) -> str:
    common = "from=Acme&weight=1&dangerous_plain=true"
    one = urlencode({"name": "twilio", "receipts_url": PUBLIC + "twilio"})
    other = urlencode(
        {"name": "vonage", "receipts_url": PUBLIC + "vonage", "signature_secret": vonage.SECRET}
    )
    return (
        f"twilio://{TWILIO_ACCOUNT}:{SECRETS['twilio']}@127.0.0.1:{web(made.on_twilio).port}?{one}&{common} "
        f"vonage://{vonage.ACCOUNT}:{SECRETS['vonage']}@127.0.0.1:{web(made.on_vonage).port}?{other}&{common}"
    )


def _pushes(made: Providers, web: Start, tokens: Google, apns: Http2Server, folder: Path) -> str:
    plain = "dangerous_plain=true"
    keys, vapid = apple.options(apple.key_file(folder)), browser.options(browser.vapid_file(folder))
    return (
        f"apns://{apple.TEAM}@127.0.0.1:{apns.port}?name=apns&{keys}&{plain} "
        f"fcm://127.0.0.1:{web(made.on_fcm).port}?name=fcm&{tokens.option}&{plain} "
        f"webpush://127.0.0.1:{web(made.on_webpush).port}?name=webpush&{vapid}&hosts=push.example.com&{plain}"
    )
