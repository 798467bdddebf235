"""P9: one limit for four worker processes with a deep backlog, and other lanes beside it.

It runs once: a rate over a minute is a mean of thousands of calls already.
"""

from benchmarks import calls, windows
from benchmarks.checks import same
from benchmarks.figures import Finding, Pairs
from benchmarks.service import BATCH, Service
from benchmarks.sizes import Sizes
from benchmarks.stage import Stage
from benchmarks.targets import TARGETS
from benchmarks.windows import SECOND, Timeline
from notifier.domain.lanes import Channel, Lane
from tests.nodes.waiting import wait_until

IDS = ("P9",)
_RATE, _BURST, _LEASE = 50.0, 10, 0.25
_PROCESSES, _THREADS = 4, 8
#: A call of SMS takes so long that threads are what is short; e-mail's takes no time.
_SMS = 0.2
_WARM = 5.0
_EMAIL = tuple(lane for lane in Lane.all() if lane.channel is Channel.EMAIL)
_OTHERS = tuple(lane for lane in Lane.all() if lane.channel is Channel.SMS)
#: An attempt that only waited would have another number.
_SPENT = "SELECT count(*) FROM notifications WHERE channel = 'email' AND attempt > 1"


def run(stage: Stage, sizes: Sizes, wanted: frozenset[str]) -> list[Finding]:
    """SMS alone, then beside e-mail that is limited."""
    url = f"console://?rate={_RATE:g}/s&burst={_BURST}"
    service = Service(stage, "limits", NOTIFIER_EMAIL_PROVIDERS=url)
    span, names = sizes.limit_span, [lane.name for lane in _OTHERS]
    with service.serving() as door:
        stage.say("limits: SMS alone")
        alone = _timeline(stage, service, door, 0, span)
        stage.say("limits: SMS beside e-mail")
        beside = _timeline(stage, service, door, sizes.limit_backlog, span)
        same("attempts of e-mail that were spent on waiting", service.number(_SPENT), 0)
    begin = beside[0][0] + int(_WARM * SECOND)
    rate = windows.rate(beside, begin, span, [lane.name for lane in _EMAIL])
    emails = [moment for moment, lane in beside if lane.startswith("email")]
    full = windows.fullest(emails, rate=_RATE, burst=_BURST, lease=_LEASE)
    others = windows.rate(beside, begin, span, names)
    before = windows.rate(alone, alone[0][0] + int(_WARM * SECOND), span, names)
    figures = {
        "rate": (rate, _RATE),
        "most": (rate, _RATE),
        "window": (full, 1.0),
        "others": (others, before),
    }
    return [
        Finding(target=TARGETS[f"P9 {name}"], pairs=Pairs((ours,), (peer,)))
        for name, (ours, peer) in figures.items()
    ]


def _timeline(stage: Stage, service: Service, door: int, emails: int, span: float) -> Timeline:
    """The provider's calls from the first on."""
    service.reset()
    sms = int(_PROCESSES * _THREADS / _SMS * (span + _WARM) * 1.2)
    service.fill(door, -(-sms // BATCH) * BATCH, _OTHERS)
    if emails:
        service.fill(door, emails, _EMAIL)
    ledger = stage.folder / "limits.calls"
    ledger.unlink(missing_ok=True)
    with service.working(_THREADS, ledger, seconds={"sms": _SMS}, at_once=True, processes=_PROCESSES):
        wait_until(lambda: calls.count(ledger) > 0, 60, "the first call")
        first = min(calls.read(ledger).values())
        end = _WARM + span + 0.5
        wait_until(lambda: (calls.now() - first) / SECOND > end, 300, "the end of the span")
        found = calls.read(ledger)
    return windows.timeline(found, service.lanes_of(found))
