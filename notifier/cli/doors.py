"""Where `send` and `status` ask: a running service over HTTP, or storage and intake in this process.

Both answer the same documents and the same problems (RFC 9457), so a command need not know which it was.
"""

import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import click

from notifier.cli.answers import Answer, Door, NoAnswer
from notifier.cli.support import fail
from notifier.cli.words import printable


def open_door(tenant: str | None) -> Door:
    """The service that NOTIFIER_URL names, else this process; ends the command (2) for wrong settings."""
    from notifier.settings import SettingsError
    from notifier.settings.remote import load_remote

    try:
        remote = load_remote()
    except SettingsError as error:
        fail(str(error), 2)
    if remote is None:
        from notifier.cli.local import LocalDoor
        from notifier.cli.support import settings_or_exit

        return LocalDoor(settings_or_exit(), tenant or "default")
    if tenant is not None:
        raise click.BadParameter(
            "can't be given when NOTIFIER_URL is set: the API key decides it", param_hint="--tenant"
        )
    from notifier.cli.remote import RemoteDoor

    return RemoteDoor(remote.url, remote.key)


def ask(
    question: Callable[[Door], Answer],
    as_json: bool,
    *,
    tenant: str | None = None,
    options: dict[str, str] | None = None,
) -> Answer:
    """The door's good answer, or the command's end; `options` as for `end_with_problem`."""
    door = open_door(tenant)
    try:
        answer = question(door)
    except NoAnswer as error:
        fail(str(error))
    finally:
        door.close()
    if not answer.good:
        end_with_problem(answer, as_json, options)
    return answer


def end_with_problem(answer: Answer, as_json: bool, options: dict[str, str] | None = None) -> None:
    """End the command: 2 if what was asked is wrong, else 1.

    `options` tells which option a pointer (RFC 6901) came from.
    """
    import json

    if as_json:
        click.echo(json.dumps(answer.document, ensure_ascii=False))
    else:
        click.echo(_words(answer.document, options or {}), err=True)
    wrong = {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    sys.exit(2 if answer.status in wrong else 1)


def _words(problem: dict[str, Any], options: dict[str, str]) -> str:
    fields = problem.get("errors") or []
    if fields:
        return "\n".join(
            printable(f"{_option(str(one['pointer']), options)}: {one['detail']}") for one in fields
        )
    said = [str(problem.get(name)) for name in ("title", "detail") if problem.get(name)]
    return printable(": ".join(said) or "it was refused without a reason")


def _option(pointer: str, options: dict[str, str]) -> str:
    """The option for a field, or for the nearest one above it."""
    steps = pointer
    while steps:
        if steps in options:
            return options[steps]
        steps = steps.rpartition("/")[0]
    return pointer or "the request"
