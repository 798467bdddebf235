"""Who may be measured and with whom: `notifier bench` reaches nobody unless `--live` says whom."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

import click

from notifier.cli.answers import NoAnswer
from notifier.cli.bench_plan import Plan, magic_recipients
from notifier.cli.doors import end_with_problem
from notifier.cli.support import fail
from notifier.domain.keys import mode_told_by
from notifier.domain.lanes import Channel
from notifier.domain.lifecycle import Mode

if TYPE_CHECKING:
    from notifier.cli.remote import RemoteDoor
    from notifier.settings.remote import Remote


def recipients_of(
    plan: Plan, given: Mapping[str, str | None], *, live: bool
) -> Mapping[Channel, Mapping[str, str]]:
    """By channel; raises `UsageError` where one is missing, or given without `--live`."""
    named = {name: value for name, value in given.items() if value is not None}
    if not live:
        if named:
            option = "--" + next(iter(named)).replace("_", "-")
            raise click.UsageError(
                f"{option} needs --live: without it only the simulator's recipients are used"
            )
        return magic_recipients()
    if ("push_token" in named) != ("platform" in named):
        raise click.UsageError("--push-token and --platform are given together")
    fields = {
        Channel.EMAIL: ["email"],
        Channel.SMS: ["phone"],
        Channel.PUSH: ["push_token", "platform"],
        Channel.CHAT: ["chat"],
    }
    found = {
        channel: {name: named[name] for name in names}
        for channel, names in fields.items()
        if names[0] in named
    }
    for lane, _ in plan.mix:
        if lane.channel not in found:
            option = "--" + fields[lane.channel][0].replace("_", "-")
            raise click.UsageError(f"--live needs {option} for {lane}, or a --mix without it")
    return found


def remote_of(*, live: bool) -> "Remote":
    """The service; ends the command (2) where none is named, or with a key of the other kind."""
    from notifier.settings import SettingsError
    from notifier.settings.remote import load_remote

    try:
        remote = load_remote()
    except SettingsError as error:
        fail(str(error), 2)
    if remote is None:
        fail("bench measures a running service: set NOTIFIER_URL and NOTIFIER_API_KEY (a test key)", 2)
    test = mode_told_by(remote.key) is Mode.TEST
    if live and test:
        fail("--live needs a live key, and NOTIFIER_API_KEY is a test key", 2)
    if not live and not test:
        fail(
            "NOTIFIER_API_KEY is a live key, which would reach people: make a test key with "
            "`notifier keys create --name bench --mode test`, or say --live and to whom",
            2,
        )
    return remote


def entered(remote: "Remote", run: str, as_json: bool) -> "tuple[RemoteDoor, str | None]":
    """The door, found open, and why it does not let this key read; ends the command where it lets nobody in."""
    from notifier.cli.remote import RemoteDoor

    door = RemoteDoor(remote.url, remote.key)
    try:
        answer = door.notifications({"reference": run, "limit": "1"})
    except NoAnswer as error:
        fail(str(error))
    if answer.status == HTTPStatus.FORBIDDEN:
        return door, "the key has no scope `read`"
    if not answer.good:
        end_with_problem(answer, as_json)
    return door, None
