"""The rules of delivery as Settings write them down: waits by reason, and what providers' codes mean."""

from notifier.domain.answer_rules import AnswerClass, AnswerCode
from notifier.domain.retries import TRANSIENT, RuleKey, Schedule
from notifier.settings.values import Rule

#: The longest wait and the most tries a rule may ask for.
_LONGEST, _MOST = 7 * 86_400.0, 1000

Retries = tuple[tuple[RuleKey, Schedule], ...]
Answers = tuple[tuple[AnswerCode, AnswerClass], ...]


def retry_rules() -> Rule:
    """``throttled=30:600 email.high.provider_timeout=1:30:5``: seconds of the first wait and the longest, tries."""
    return Rule(
        _retries,
        "rules [channel.][priority.]reason=base:cap[:tries], as in throttled=30:600 email.high.provider_timeout=1:30:5, "
        f"with 0 < base <= cap <= {_LONGEST:g} seconds, 1 to {_MOST} tries, each rule once; "
        f"its reasons are {', '.join(sorted(TRANSIENT))}",
        optional=True,
        show=lambda found: " ".join(f"{key}={_shown(schedule)}" for key, schedule in found or ()),
    )


def answer_rules() -> Rule:
    """``email:550 5.7.1=retry, sms:30007=permanent``: what a code means, whatever the provider's table says."""
    return Rule(
        _answers,
        "channel:code=class separated by commas, as in email:550 5.7.1=retry, sms:30007=permanent, each code once; "
        f"its classes are {', '.join(AnswerClass)}",
        optional=True,
        show=lambda found: ", ".join(f"{code}={meaning}" for code, meaning in found or ()),
    )


def _retries(text: str) -> Retries:
    found: dict[RuleKey, Schedule] = {}
    for part in text.split():
        name, _, figures = part.partition("=")
        key = RuleKey.parse(name)
        if key in found:
            raise ValueError(part)
        found[key] = _schedule(figures)
    return tuple(found.items())


def _schedule(text: str) -> Schedule:
    base, cap, *tries = text.split(":")
    if len(tries) > 1 or not all(_plain(one) for one in (base, cap)) or not all(map(str.isdigit, tries)):
        raise ValueError(text)
    if float(cap) > _LONGEST or (tries and not 1 <= int(tries[0]) <= _MOST):
        raise ValueError(text)
    return Schedule(float(base), float(cap), int(tries[0]) if tries else None)


def _plain(text: str) -> bool:
    """Digits with at most one point: neither a sign nor ``1e9`` nor ``inf``."""
    return text.isascii() and text.replace(".", "", 1).isdigit()


def _shown(schedule: Schedule) -> str:
    tries = "" if schedule.max_tries is None else f":{schedule.max_tries}"
    return f"{schedule.base:g}:{schedule.cap:g}{tries}"


def _answers(text: str) -> Answers:
    found: dict[AnswerCode, AnswerClass] = {}
    for part in text.split(","):
        name, _, meaning = part.strip().rpartition("=")
        code = AnswerCode.parse(name)
        if code in found:
            raise ValueError(part)
        found[code] = AnswerClass(meaning)
    return tuple(found.items())
