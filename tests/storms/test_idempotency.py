"""One key, many identical requests at once, and a server that dies under them (F22; promise 4)."""

from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.fleet import ready
from tests.nodes.waiting import wait_until
from tests.storms.kit.case import Case
from tests.storms.kit.form import either, patience
from tests.storms.kit.installation import Installation, Part
from tests.storms.kit.load import email
from tests.storms.kit.salvo import Heard, Shot, fire

#: Numbers that the steady load beside it does not reach.
FIRST = 1_000_000


def test_many_copies_of_one_request(case, installation):
    """F22. Each key is kept once whoever dies; its first answer comes again, and never for another body."""
    keys, copies = either(short=30, full=200), either(short=30, full=100)
    numbers = range(FIRST, FIRST + keys)
    with case("F22", f"{keys} keys x {copies} copies", pace=20) as storm:
        key = installation.key()
        shots = [shot(storm, number) for number in numbers for _ in range(copies)]
        heard = fire_and_kill_a_door(storm, installation, key, shots)
        assert len(heard) == keys * copies
        firsts = [only_answer(heard[at : at + copies]) for at in range(0, len(heard), copies)]
        erred = {FIRST + at // copies for at, one in enumerate(heard) if one.faults}
        storm.also({number: one.id for number, one in zip(numbers, firsts, strict=True)}, erred)
        storm.remark("requests_tried_again", sum(one.faults > 0 for one in heard))

        others_are_refused(storm, installation, key, numbers)
        kill_all_doors(storm, installation)
        again = fire(installation.ports, key, [shot(storm, number) for number in numbers])
        assert [one.document for one in again] == [one.document for one in firsts]
        assert all(one.replayed for one in again)
        others_are_refused(storm, installation, key, numbers)
        assert [storm.rows().ids[number] for number in numbers] == [{one.id} for one in firsts]


def shot(storm: Case, number: int, **other: object) -> Shot:
    """The request with this number; `other` makes it another one with the same key."""
    reference = storm.reference(number)
    return Shot(reference, email(number) | {"reference": reference} | other)


def fire_and_kill_a_door(storm: Case, installation: Installation, key: str, shots: list[Shot]) -> list[Heard]:
    """Half-way through, one of the two doors dies; it is back at once."""
    answered: list[None] = []
    with ThreadPoolExecutor(1) as pool:
        firing = pool.submit(fire, installation.ports, key, shots, on_each=lambda: answered.append(None))
        wait_until(lambda: firing.done() or len(answered) >= len(shots) // 2, 120, "half of the answers")
        assert not firing.done(), "the door was to die in the middle"
        victim = storm.dice.choice(installation.doors)
        installation.kill_part(victim)
        storm.hit()
        installation.again(victim)
        return firing.result()


def only_answer(copies: list[Heard]) -> Heard:
    """What all requests of one key heard: 202 and one document, kept anew for one of them at the most."""
    assert {one.status for one in copies} == {202}
    first = copies[0]
    assert all(one.document == first.document for one in copies)
    anew = sum(not one.replayed for one in copies)
    # The one for which it was kept may be among those whose door died before it answered.
    assert anew == 1 or (anew == 0 and any(one.faults for one in copies))
    return first


def others_are_refused(storm: Case, installation: Installation, key: str, numbers: range) -> None:
    """The same keys with other bodies."""
    shots = [shot(storm, number, metadata={"is": "other"}) for number in numbers]
    heard = fire(installation.ports, key, shots)
    assert {(one.status, one.document["code"]) for one in heard} == {(422, "idempotency_key_reused")}


def kill_all_doors(storm: Case, installation: Installation) -> None:
    """-9 to both at once, and they are back."""
    doors: list[Part] = installation.doors
    installation.kill(door.process for door in doors)
    storm.hit(faults=len(doors))
    for door in doors:
        installation.again(door)
    wait_until(lambda: all(ready(door.port) for door in doors), patience(30), "both doors")
