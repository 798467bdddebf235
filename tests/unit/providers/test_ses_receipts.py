"""Receipts of Amazon SES over SNS: only what SNS signed of a topic of ours is believed, only what is final is a receipt."""

import json
import threading
import time
from datetime import timedelta
from uuid import UUID

import pytest

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Reason, Status
from notifier.domain.receipts import Forged, Handshake, NotNow, Receipt, ReceiptRequest
from notifier.providers import sns_visits
from notifier.providers.base import Deadline, ProviderDefaults
from notifier.providers.registry import parse_provider_url
from notifier.providers.ses_receipts import receipts_of
from notifier.providers.sns_visits import AWAY_SECONDS, FAILED_SECONDS
from tests.nodes.sns import HOST, PEM, TOPIC, Sns
from tests.nodes.sns import region as sns_region
from tests.nodes.waiting import wait_until
from tests.nodes.web import Fault, Said, web_server

ID = "010f0189-0a5d-000000"
NOTIFICATION = UUID("01a22d51-136b-744e-82f3-57625a4075ce")
REJECTED, INVALID = Reason.PROVIDER_REJECTED, Reason.INVALID_RECIPIENT
OPTED_OUT = Reason.RECIPIENT_OPTED_OUT
OTHER = "arn:aws:sns:eu-west-1:123456789012:others"


def event(kind, name="eventType", **body):
    """An event in SES's form; `name` says in which of the two."""
    mail = {
        "timestamp": "2026-11-30T15:00:00.000Z",
        "messageId": ID,
        "source": "news@acme.example",
        "destination": ["ada@example.com"],
        "headersTruncated": False,
        "tags": {"notification": ["ntf_1"], "ses:configuration-set": ["events"]},
    }
    return json.dumps({name: kind, "mail": mail, **body})


def bounce(kind, subtype):
    recipients = [{"emailAddress": "ada@example.com", "action": "failed", "status": "5.1.1"}]
    return {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": recipients}


#: One whose messages are only read.
GENUINE = Sns()
DELIVERY = event("Delivery", delivery={"recipients": ["ada@example.com"], "smtpResponse": "250 ok"})


@pytest.fixture
def region(monkeypatch, tmp_path):
    """SNS's host: names lead to it, whatever they are, and its authority is trusted by `ca_file`."""
    return lambda sns, *names: sns_region(sns, tmp_path, monkeypatch, *names)


def reader_at(there, topic=TOPIC):
    url = f"ses://AKID:SECRET@eu-west-1?topic={topic}&ca_file={there.ca_file}"
    return parse_provider_url(Channel.EMAIL, url, ProviderDefaults()).receipts()


def read(reader, body, seconds=5.0):
    return reader.read(ReceiptRequest(headers={"x-amz-sns-message-type": "?"}, body=body), Deadline(seconds))


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "Amazon SES Email Event Notification"])
def test_what_sns_signed_is_believed(region, version, subject):
    """By SHA-1 and by SHA-256, with and without a subject."""
    sns = Sns()
    with region(sns) as there:
        body = sns.notification(DELIVERY, version=version, subject=subject)
        assert read(reader_at(there), body) == [Receipt(ID, Status.DELIVERED)]
        assert there.looked_up == [(HOST, 443)]
        assert [(heard.method, heard.path, heard.headers["host"]) for heard in there.server.heard] == [
            ("GET", PEM, HOST)
        ]


def test_an_account_without_a_topic_has_no_receipts():
    """SNS signs for everybody."""
    assert (
        parse_provider_url(Channel.EMAIL, "ses://AKID:SECRET@eu-west-1", ProviderDefaults()).receipts is None
    )


def test_each_of_several_topics_is_believed(region):
    with region(sns := Sns()) as there:
        reader = reader_at(there, f"{OTHER},{TOPIC}")
        assert read(reader, sns.notification(DELIVERY)) == [Receipt(ID, Status.DELIVERED)]
        sns.topic = OTHER
        assert read(reader, sns.notification(DELIVERY)) == [Receipt(ID, Status.DELIVERED)]


@pytest.mark.parametrize(
    "topic",
    [
        OTHER,
        "arn:aws:sns:eu-west-1:999999999999:ses-events",
        "arn:aws:sns:us-east-1:123456789012:ses-events",
        f"{TOPIC}s",
    ],
)
def test_another_s_topic_is_not_ours(region, topic):
    """Anybody may have SNS sign for a topic of theirs; nothing is fetched for it."""
    with region(sns := Sns(topic=topic)) as there:
        for body in (sns.notification(DELIVERY), sns.question()):
            assert read(reader_at(there), body) == Forged("another account")
        assert there.server.heard == []
        assert sns.confirmed == []


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "changed",
    [
        {"Message": event("Complaint")},
        {"MessageId": "1"},
        {"Subject": "x"},
        {"Timestamp": "2026-11-30T15:00:00.000Z"},
        {"Signature": "YQ=="},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_field_is_seen(region, changed, version):
    with region(sns := Sns()) as there:
        body = sns.notification(DELIVERY, version=version, **changed)
        assert read(reader_at(there), body) == Forged("wrong signature")


def test_one_version_s_signature_is_none_of_the_other(region):
    with region(sns := Sns()) as there:
        reader = reader_at(there)
        assert read(reader, sns.notification(DELIVERY, version="2", SignatureVersion="1")) == Forged(
            "wrong signature"
        )
        assert read(reader, sns.notification(DELIVERY, version="3")) == Forged("wrong signature")


def test_another_s_key_signs_nothing(region):
    with region(Sns()) as there:
        assert read(reader_at(there), GENUINE.notification(DELIVERY)) == Forged("wrong signature")


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}{PEM}",
        f"https://{HOST}:8443{PEM}",
        f"https://{HOST}.evil.example{PEM}",
        f"https://evil.example/{HOST}{PEM}",
        f"https://{HOST}@evil.example{PEM}",
        f"https://user@{HOST}{PEM}",
        "https://sns.us-east-1.amazonaws.com" + PEM,
        "https://bucket.s3.amazonaws.com" + PEM,
        "https://sns.eu-west-1.amazonaws.com.cn" + PEM,
        f"https://{HOST}{PEM}?x=1",
        f"https://{HOST}/a/..{PEM}",
        f"https://{HOST}/x.pem.html",
        f"https://{HOST}/{'x' * 200}.pem",
        f"https://{HOST}/other.pem",
        f"https://{HOST}/SimpleNotificationService-{'a' * 65}.pem",
        f"https://{HOST}/SimpleNotificationService-{'A' * 32}.pem",
        f"https://{HOST}/SimpleNotificationService-x{'a' * 31}.pem",
        f"HTTPS://{HOST}{PEM}",
        f"https://{HOST}\\@evil.example{PEM}",
        "file:///etc/passwd.pem",
        "",
        7,
        None,
    ],
)
def test_a_certificate_is_fetched_from_sns_alone(region, url):
    """Nobody can make us call another host, or another port or path of this one."""
    with region(sns := Sns()) as there:
        body = sns.notification(DELIVERY, SigningCertURL=url)
        assert read(reader_at(there), body) == Forged("wrong signature")
        assert there.looked_up == []


def test_a_host_that_is_not_sns_s_is_not_believed(region):
    """Its certificate for TLS is another's: what it says is not even heard."""
    with region(sns := Sns(), "evil.example") as there:
        found = read(reader_at(there), sns.notification(DELIVERY))
        assert isinstance(found, NotNow)
        assert "certificate" in found.why
        assert there.server.heard == []


def test_no_redirect_is_followed(region):
    with region(sns := Sns()) as there, web_server(lambda _: Said(200, sns.pem)) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            sns.instead[PEM] = Said(status, headers={"Location": elsewhere.url + PEM})
            assert read(reader_at(there), sns.notification(DELIVERY)) == Forged("wrong signature")
        sns.instead["/"] = Said(302, headers={"Location": elsewhere.url})
        del sns.instead[PEM]
        assert isinstance(read(reader_at(there), sns.question()), NotNow)
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Said(404), Forged("wrong signature")),
        (Said(200, b"no certificate"), Forged("wrong signature")),
        (Said(200, b""), Forged("wrong signature")),
        (Said(200, b"x" * 70_000), NotNow("the certificate could not be fetched: the answer was 200")),
        (Said(500), NotNow("the certificate could not be fetched: the answer was 500")),
        (Said(429), NotNow("the certificate could not be fetched: the answer was 429")),
        (Fault.HUGE, NotNow("the certificate could not be fetched: the answer was 201")),
        (Fault.CLOSE, None),
        (Fault.HANG, None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_certificate_that_does_not_come_is_waited_for(region, answer, expected):
    """What may come later is asked for later; what is none is no proof. Neither is kept."""
    with region(sns := Sns()) as there:
        sns.instead[PEM] = answer
        reader = reader_at(there)
        found = read(reader, sns.notification(DELIVERY), 0.5)
        assert isinstance(found, NotNow) if expected is None else found == expected
        assert there.server.huge_sent < 20_000_000
        del sns.instead[PEM]
        reader.visits.clock = lambda: time.monotonic() + FAILED_SECONDS
        assert read(reader, sns.notification(DELIVERY)) == [Receipt(ID, Status.DELIVERED)]


@pytest.mark.parametrize(
    "sns", [Sns(lasts=timedelta(days=-1)), Sns(lasts=timedelta(days=401)), Sns(bits=1024)], ids=["over", "to come", "short"]
)  # fmt: skip
def test_a_certificate_that_is_over_or_weak_proves_nothing(region, sns):
    with region(sns) as there:
        assert read(reader_at(there), sns.notification(DELIVERY)) == Forged("wrong signature")


def test_a_certificate_is_fetched_once(region):
    """By 16 threads at once, too; those that came while it was fetched wait for it."""
    with region(sns := Sns()) as there:
        reader, body = reader_at(there), sns.notification(DELIVERY)
        begin, found = threading.Barrier(16), []

        def work():
            begin.wait(60)
            found.append(read(reader, body))

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found == [[Receipt(ID, Status.DELIVERED)]] * 16
        assert len(there.server.heard) == 1


def test_a_known_certificate_waits_for_no_other(region):
    """Whoever knows the topic may name certificates that are slow to come; SNS's own messages are read meanwhile."""
    with region(sns := Sns()) as there:
        reader = reader_at(there)
        assert read(reader, sns.notification(DELIVERY)) == [Receipt(ID, Status.DELIVERED)]
        reader.visits._fetched = (HOST, named(1))
        assert read(reader, sns.notification(DELIVERY), 0.5) == [Receipt(ID, Status.DELIVERED)]


def named(number):
    """A certificate's name that somebody made up."""
    return f"/SimpleNotificationService-{number:032x}.pem"


def naming(sns, number):
    return sns.notification(DELIVERY, SigningCertURL=f"https://{HOST}{named(number)}")


def test_made_up_names_keep_no_threads(region, monkeypatch):
    """One is fetched and one waits for its turn; the others are told at once to come again."""
    monkeypatch.setattr(sns_visits, "FETCH_SECONDS", 30.0)
    monkeypatch.setattr(sns_visits, "TURN_SECONDS", 30.0)
    asked, go_on = threading.Event(), threading.Event()

    def slow(heard):
        asked.set()
        assert go_on.wait(20)
        return sns.answer(heard)

    with region(sns := Sns()) as there:
        there.server.answer = slow
        reader, found = reader_at(there), {}

        def come(number):
            found[number] = read(reader, naming(sns, number), 30.0)

        threads = [threading.Thread(target=come, args=[number], daemon=True) for number in (1, 2)]
        threads[0].start()
        assert asked.wait(20)
        threads[1].start()
        wait_until(lambda: reader.visits._another_waits, 20, "the one that waits for its turn")
        for number in range(3, 9):
            assert read(reader, naming(sns, number)) == NotNow("another certificate is being fetched")
        go_on.set()
        for thread in threads:
            thread.join(20)
        assert found == dict.fromkeys((1, 2), Forged("wrong signature"))
        assert [heard.path for heard in there.server.heard] == [named(1), named(2)]


def test_a_turn_that_does_not_come_is_not_waited_for_long(region, monkeypatch):
    monkeypatch.setattr(sns_visits, "TURN_SECONDS", 0.01)
    with region(sns := Sns()) as there:
        reader = reader_at(there)
        reader.visits._fetched = (HOST, named(1))
        for _ in range(2):
            assert read(reader, naming(sns, 2)) == NotNow("another certificate is being fetched")
        assert there.server.heard == []


def test_what_failed_is_not_asked_for_again_at_once(region):
    """A name that is none, by its name; a host that does not answer, whatever is named there, and not for so long."""
    with region(sns := Sns()) as there:
        reader, now = reader_at(there), [1000.0]
        reader.visits.clock = lambda: now[0]
        for _ in range(3):
            assert read(reader, naming(sns, 1)) == Forged("wrong signature")
        assert [heard.path for heard in there.server.heard] == [named(1)]
        sns.instead[named(2)] = Fault.CLOSE
        silent = read(reader, naming(sns, 2))
        assert isinstance(silent, NotNow)
        assert read(reader, naming(sns, 3)) == silent
        assert named(3) not in [heard.path for heard in there.server.heard]
        now[0] += AWAY_SECONDS
        assert read(reader, sns.notification(DELIVERY)) == [Receipt(ID, Status.DELIVERED)]
        assert [heard.path for heard in there.server.heard].count(named(1)) == 1
        now[0] += FAILED_SECONDS
        read(reader, naming(sns, 1))
        assert [heard.path for heard in there.server.heard].count(named(1)) == 2


def test_a_flood_of_made_up_names_fills_no_memory(region):
    with region(sns := Sns()) as there:
        reader = reader_at(there)
        for number in range(70):
            read(reader, naming(sns, number))
        assert len(reader.visits._failed) == 64


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (timedelta(minutes=60), [Receipt(ID, Status.DELIVERED)]),
        (timedelta(minutes=74), [Receipt(ID, Status.DELIVERED)]),
        (timedelta(minutes=76), Forged("too old")),
        (timedelta(days=30), Forged("too old")),
        (timedelta(minutes=-14), [Receipt(ID, Status.DELIVERED)]),
        (timedelta(minutes=-16), Forged("too old")),
    ],
)
def test_a_recording_is_refused(region, age, expected):
    """SNS repeats itself for an hour and no longer."""
    with region(sns := Sns()) as there:
        assert read(reader_at(there), sns.notification(DELIVERY, at=sns.now - age)) == expected


def test_an_old_question_is_refused(region):
    with region(sns := Sns()) as there:
        body = sns.question(at=sns.now - timedelta(hours=2))
        assert read(reader_at(there), body) == Forged("too old")
        assert sns.confirmed == []


@pytest.mark.parametrize("ahead", [timedelta(hours=5), timedelta(hours=-5)])
def test_this_host_s_clock_may_be_wrong(region, ahead):
    """Promise 12: SNS's own host tells the time."""
    with region(sns := Sns(ahead=ahead)) as there:
        assert read(reader_at(there), sns.notification(DELIVERY)) == [Receipt(ID, Status.DELIVERED)]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_subscription_of_our_topic_is_confirmed(region, version):
    with region(sns := Sns()) as there:
        assert read(reader_at(there), sns.question(version=version)) == Handshake()
        assert sns.confirmed == [
            {"Action": ["ConfirmSubscription"], "TopicArn": [TOPIC], "Token": ["2336412f37"]}
        ]


@pytest.mark.parametrize(
    "url",
    [
        f"https://evil.example/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
        f"http://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
        f"https://{HOST}/x?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=1",
        f"https://{HOST}/?Action=DeleteTopic&TopicArn={TOPIC}&Token=1",
        f"https://{HOST}/?Action=ConfirmSubscription&Action=DeleteTopic&TopicArn={TOPIC}&Token=1",
        f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={OTHER}&Token=1",
        f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}",
    ],
)
def test_nothing_else_is_visited(region, url):
    """Even if SNS signed it."""
    with region(sns := Sns()) as there:
        assert read(reader_at(there), sns.question(subscribe_url=url)) == Forged("no form")
        assert [heard.path for heard in there.server.heard] == [PEM]


def test_a_question_that_is_not_signed_is_not_answered(region):
    with region(sns := Sns()) as there:
        assert read(reader_at(there), sns.question(Token="x")) == Forged("wrong signature")
        assert sns.confirmed == []


def test_a_subscription_that_can_not_be_confirmed_is_asked_for_again(region):
    with region(sns := Sns()) as there:
        sns.instead["/"] = Said(500)
        found = read(reader_at(there), sns.question())
        assert found == NotNow("the subscription could not be confirmed: the answer was 500")


def test_an_end_of_the_subscription_is_not_taken_back(region):
    """Whoever ended it meant it; no event is in it, whatever its words say."""
    with region(sns := Sns()) as there:
        assert read(reader_at(there), sns.question("UnsubscribeConfirmation", words=DELIVERY)) == []
        assert sns.confirmed == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "no form"),
        (b"\xff", "no form"),
        (b"[" * 100_000, "no form"),
        (b"[]", "no form"),
        (b"{}", "no form"),
        (DELIVERY.encode(), "no form"),
        (GENUINE.notification("x", Type="Letter"), "no form"),
        (GENUINE.notification("x", Message=7), "no form"),
        (GENUINE.notification("x", Subject=7), "no form"),
        (GENUINE.notification("x", Timestamp="yesterday"), "no form"),
        (GENUINE.notification("x", Timestamp="2026-13-30T15:00:00Z"), "no form"),
        (GENUINE.notification("x", MessageId="\ud800"), "no form"),
        (GENUINE.notification("x", Signature="?"), "no form"),
        (GENUINE.notification("x", Signature="é"), "no form"),
        (GENUINE.notification("x", Signature=None), "no signature"),
        (GENUINE.question(Token=None), "no form"),
    ],
)
def test_what_is_no_message_of_sns_is_refused(region, body, why):
    """Raw delivery, which leaves the envelope away, is not signed: nobody could know whose it is."""
    with region(Sns()) as there:
        assert read(reader_at(there), body) == Forged(why)
        assert there.server.heard == []


#: (type, subtype, reason), apart from the module's own table.
BOUNCED = [
    ("Permanent", "General", INVALID),
    ("Permanent", "NoEmail", INVALID),
    ("Permanent", "Suppressed", INVALID),
    ("Permanent", "OnAccountSuppressionList", REJECTED),
    ("Permanent", "UnsubscribedRecipient", OPTED_OUT),
    ("Transient", "General", Reason.PROVIDER_UNAVAILABLE),
    ("Transient", "MailboxFull", Reason.UNREACHABLE_RECIPIENT),
    ("Transient", "MessageTooLarge", Reason.CONTENT_REJECTED),
    ("Transient", "ContentRejected", Reason.CONTENT_REJECTED),
    ("Transient", "AttachmentRejected", Reason.CONTENT_REJECTED),
    ("Transient", "CustomTimeoutExceeded", Reason.EXPIRED),
    ("Undetermined", "Undetermined", REJECTED),
    ("Tomorrow", "New", REJECTED),
]


@pytest.mark.parametrize(("kind", "subtype", "reason"), BOUNCED)
@pytest.mark.parametrize("name", ["eventType", "notificationType"])
def test_a_bounce_has_the_reason_of_its_type(name, kind, subtype, reason):
    found = receipts_of(event("Bounce", name, bounce=bounce(kind, subtype)))
    assert found == [Receipt(ID, Status.UNDELIVERED, reason, f"{kind} {subtype}")]


@pytest.mark.parametrize("broken", [{}, {"bounce": 7}, {"bounce": {"bounceType": ["Permanent"]}}])
def test_a_bounce_that_says_nothing_condemns_nobody(broken):
    assert receipts_of(event("Bounce", **broken)) == [Receipt(ID, Status.UNDELIVERED, REJECTED, "Bounce")]


@pytest.mark.parametrize("kind", ["Delivery", "Bounce", "Complaint", "Reject"])
def test_our_id_comes_back_as_a_tag(kind):
    """In a configuration set's events; an identity's have none."""
    (found,) = receipts_of(tagged(kind, {"notification": [f"ntf_{NOTIFICATION}"], "other": ["x"]}))
    assert (found.reference, found.notification) == (ID, NOTIFICATION)
    own = f"ntf_{NOTIFICATION}"
    for other in (
        None,
        7,
        {},
        [own],
        {"notification": own},
        {"notification": [own, own]},
        {"notification": [7]},
    ):
        (found,) = receipts_of(tagged(kind, other))
        assert (found.reference, found.notification) == (ID, None)


def tagged(kind, tags):
    said = json.loads(event(kind))
    return json.dumps(said | {"mail": said["mail"] | {"tags": tags}})


@pytest.mark.parametrize("name", ["eventType", "notificationType"])
def test_what_arrived_is_delivered(name):
    assert receipts_of(event("Delivery", name, delivery={})) == [Receipt(ID, Status.DELIVERED)]


@pytest.mark.parametrize(
    ("complaint", "code"),
    [
        ({"complaintSubType": None, "complaintFeedbackType": "abuse"}, "Complaint abuse"),
        ({"complaintSubType": None}, "Complaint"),
    ],
)
def test_whoever_complains_got_it_and_wants_no_more(complaint, code):
    found = receipts_of(event("Complaint", complaint=complaint))
    assert found == [Receipt(ID, Status.DELIVERED, Reason.RECIPIENT_OPTED_OUT, code)]


def test_a_message_taken_out_of_the_junk_is_no_complaint():
    assert receipts_of(event("Complaint", complaint={"complaintFeedbackType": "not-spam"})) == []


def test_what_ses_held_back_for_an_older_complaint_did_not_arrive():
    """Whoever complained wants no more, as in each provider's words; a list of bounces is nobody's wish."""
    found = receipts_of(event("Complaint", complaint={"complaintSubType": "OnAccountSuppressionList"}))
    code = "Complaint OnAccountSuppressionList"
    assert found == [Receipt(ID, Status.UNDELIVERED, OPTED_OUT, code)]


def test_what_ses_rejects_is_the_content():
    found = receipts_of(event("Reject", reject={"reason": "Bad content"}))
    assert found == [Receipt(ID, Status.UNDELIVERED, Reason.CONTENT_REJECTED, "Reject")]


@pytest.mark.parametrize(
    "kind",
    [
        "Send",
        "Open",
        "Click",
        "DeliveryDelay",
        "Rendering Failure",
        "Subscription",
        "Tomorrow",
        "",
        7,
        None,
        [],
    ],
)
def test_what_may_still_change_is_no_receipt(kind):
    assert receipts_of(event(kind)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "[" * 100_000,
        "[]",
        "{}",
        '{"eventType": "Delivery"}',
        '{"eventType": "Delivery", "mail": 7}',
        '{"eventType": "Delivery", "mail": {"messageId": "a b"}}',
        '{"eventType": "Delivery", "mail": {"messageId": 7}}',
    ],
)
def test_plain_words_and_foreign_forms_are_no_receipt(text):
    """SES tries a topic out with a sentence."""
    assert receipts_of(text) == []
