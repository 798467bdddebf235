"""The main job on real servers: what is accepted over HTTP arrives by SMTP, each once."""

from tests.acceptance.fleet import Fleet, email, message_id, post_many

NUMBER = 10_000


def test_ten_thousand_emails_arrive_exactly_once_each(tmp_path, postgres_url, rabbitmq_vhost_url):
    """Several servers and several workers: every accepted e-mail reaches the SMTP server once."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.run("alembic", "upgrade", "head")
        fleet.sink()
        fleet.serve(processes=2)
        fleet.serve()
        fleet.work(processes=2)
        fleet.work()
        fleet.wait_for_workers(3)

        ids = post_many(fleet.ports, fleet.key(), [email(number) for number in range(NUMBER)])
        counts = fleet.wait_for_final(NUMBER, timeout=120)

        assert len(set(ids)) == NUMBER
        assert counts == {"sent": NUMBER}
        assert fleet.delivered() == dict.fromkeys(map(message_id, ids), 1)
