"""Test keys over RabbitMQ and PostgreSQL: every ending, and neither a retry nor a replay reaches a real server."""

from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode
from notifier.domain.simulator import Ending
from notifier.storage import books
from tests.acceptance.fleet import Fleet, message_id
from tests.acceptance.simulated import EXPECTED, Client, to_of, told
from tests.nodes.waiting import wait_until

ADA = {"email": "ada@example.com"}


def test_each_ending_is_forced_and_a_replay_is_simulated_too(tmp_path, postgres_url, rabbitmq_vhost_url):
    """The sink's ledger has the live e-mail alone, whatever the test key sends, names and replays."""
    with Fleet(tmp_path, postgres_url, rabbitmq_vhost_url) as fleet:
        fleet.migrate()
        fleet.sink()
        fleet.serve()
        address = f"http://127.0.0.1:{fleet.ports[0]}"
        test, live = Client(address, fleet.key(mode=Mode.TEST)), Client(address, fleet.key())
        fleet.work(threads=4)
        fleet.wait_for_workers(1, 60)
        smtp = live.ask("/v1/providers")["data"][0]["name"]
        made = {one: test.send(Channel.EMAIL, to_of(Channel.EMAIL, one)) for one in Ending}
        named = test.send(Channel.EMAIL, ADA, provider=smtp)
        real = live.send(Channel.EMAIL, ADA)
        assert {one: told(test.ended(name)) for one, name in made.items()} == EXPECTED
        assert told(test.ended(named)) == EXPECTED[Ending.DELIVERED]
        assert live.ended(real)["status"] == "sent"

        filters = {"filter": {"reason": "invalid_recipient"}}
        assert live.ask("/v1/failures/replay", filters)["matched"] == 0
        begun = test.ask("/v1/failures/replay", filters)
        assert begun["matched"] == 1
        wait_until(lambda: test.ask(begun["links"]["self"])["state"] == "done", 60, "the end of the replay")
        again = next(
            one["id"] for one in test.ask("/v1/notifications")["data"] if one["resent_from"] is not None
        )
        assert told(test.ended(again)) == EXPECTED[Ending.BOUNCE]
        assert fleet.delivered() == {message_id(real): 1}
        assert books.read(fleet.engine).balanced
