"""The main job on real servers: what is accepted over HTTP arrives by SMTP, each once."""

import json
import urllib.error
import urllib.request

from tests.acceptance.fleet import Fleet, email, message_id, post_many

SINGLE = 2_000
BATCHES = 8
IN_A_BATCH = 1_000


def post_batch(port: int, key: str, first: int) -> list[str]:
    """A batch of e-mails numbered from `first`; their ids."""
    items = [email(number) for number in range(first, first + IN_A_BATCH)]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/notifications/batch",
        data=json.dumps({"items": items}).encode(),
        headers={
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "Idempotency-Key": f"batch-{first}",
        },
    )
    for _ in range(20):
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 202
                found = json.loads(answer.read())
                break
        except urllib.error.HTTPError as refused:
            # A crowded machine may need more than the two seconds a caller waits: ask again, as it says.
            with refused:
                if refused.code not in {409, 503}:
                    raise
    assert (found["accepted"], found["rejected"]) == (IN_A_BATCH, 0)
    return [result["id"] for result in found["results"]]


def test_ten_thousand_emails_arrive_exactly_once_each(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Several servers and several workers: every accepted e-mail reaches the SMTP server once."""
    number = SINGLE + BATCHES * IN_A_BATCH
    assert number == 10_000
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.migrate()
        fleet.sink()
        fleet.serve(processes=2)
        fleet.serve()
        fleet.work(processes=2)
        fleet.work()
        fleet.wait_for_workers(3)

        key = fleet.key()
        ids = post_many(fleet.ports, key, [email(one) for one in range(SINGLE)])
        for batch in range(BATCHES):
            ids += post_batch(fleet.ports[batch % 2], key, SINGLE + batch * IN_A_BATCH)
        counts = fleet.wait_for_final(number, timeout=120)

        assert len(set(ids)) == number
        assert counts == {"sent": number}
        assert fleet.delivered() == dict.fromkeys(map(message_id, ids), 1)
