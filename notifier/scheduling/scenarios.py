"""Situations to simulate, by name: what `notifier simulate` offers, and what the bounds are tested with."""

from collections.abc import Callable
from dataclasses import dataclass

from notifier.scheduling.policy import LaneOptions, Rank
from notifier.scheduling.simulation import Length, Traffic

#: How long the provider of the hung scenario leaves a call unanswered: an SMTP provider's whole deadline.
HUNG = 30.0
#: A flood: more than any scenario's threads get done.
FLOOD = 1_000_000


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens, in words, and for so many threads; figures are taken from `since` on."""

    words: str
    traffic: Callable[[int], list[Traffic]]
    seconds: float = 60.0
    since: float = 10.0


def about(seconds: float) -> Length:
    """Calls that last so long, give or take a quarter."""
    return lambda dice, _now: (seconds * dice.uniform(0.75, 1.25), True)


def hanging(seconds: float, begin: float, end: float, hung: float = HUNG) -> Length:
    """The same, but that a call that starts within the hang is given up after `hung` seconds."""
    usual = about(seconds)
    return lambda dice, now: (hung, False) if begin <= now < end else usual(dice, now)


def lane(channel: str, rank: Rank) -> LaneOptions:
    """A lane of a channel, which is its resource."""
    return LaneOptions(f"{channel}.{rank.name.lower()}", rank, channel)


def _flood(seconds: float) -> Callable[[int], list[Traffic]]:
    return lambda threads: [
        Traffic(lane("email", Rank.LOW), about(seconds), backlog=int(threads * 70 / seconds)),
        Traffic(lane("sms", Rank.HIGH), about(0.02), rate=1),
    ]


def _hung(threads: int) -> list[Traffic]:
    return [
        Traffic(lane("email", Rank.LOW), hanging(0.02, 20, 70), backlog=threads * 50 * 130),
        Traffic(lane("sms", Rank.MEDIUM), about(0.02), rate=10 * threads),
        Traffic(lane("sms", Rank.HIGH), about(0.02), rate=10),
        Traffic(lane("push", Rank.HIGH), about(0.02), rate=10),
    ]


def _all_flooded(threads: int) -> list[Traffic]:
    return [
        Traffic(lane(channel, rank), about(0.02), backlog=threads * 50 * 60)
        for channel in ("email", "sms", "push")
        for rank in Rank
    ]


def _all_high(threads: int) -> list[Traffic]:
    floods = [
        Traffic(lane(channel, Rank.HIGH), about(0.02), backlog=threads * 50 * 60)
        for channel in ("email", "sms", "push")
    ]
    return [*floods, Traffic(lane("email", Rank.LOW), about(0.02), rate=5)]


def _bursts(threads: int) -> list[Traffic]:
    """Low calls of 100 ms that come and go every five seconds."""
    capacity = threads / 0.1
    turns = [
        Traffic(
            LaneOptions(f"email.low.{turn}", Rank.LOW, "email"),
            about(0.1),
            rate=1.3 * capacity,
            start=at,
            stop=at + 5,
        )
        for turn, at in enumerate(range(0, 60, 10))
    ]
    return [*turns, Traffic(lane("sms", Rank.HIGH), about(0.02), rate=1)]


def _alone(threads: int) -> list[Traffic]:
    others = [Traffic(lane(name, Rank.HIGH), about(0.02), rate=20, stop=20) for name in ("sms", "push")]
    return [Traffic(lane("email", Rank.LOW), about(0.02), backlog=threads * 50 * 60), *others]


SCENARIOS: dict[str, Scenario] = {
    "flood": Scenario("low e-mails of 200 ms flood, one high SMS a second", _flood(0.2)),
    "short-flood": Scenario("low e-mails of 20 ms flood, one high SMS a second", _flood(0.02)),
    "hung": Scenario(
        "e-mail hangs for 30 s a call from second 20 to 70, SMS and push go on", _hung, seconds=120, since=20
    ),
    "all-flooded": Scenario("nine lanes flooded: shares by weight", _all_flooded),
    "all-high": Scenario("three high lanes flooded, five low e-mails a second", _all_high),
    "bursts": Scenario("low e-mails come and go every five seconds, one high SMS a second", _bursts),
    "alone": Scenario("the other lanes fall idle after 20 s, low e-mails go on", _alone, since=21),
}
