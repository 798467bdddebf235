"""Intake and storage in this process: the same checks as the door's, with no service needed."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from notifier.bootstrap.front import Front, make_door, make_front
from notifier.bootstrap.providers import provider_names
from notifier.bootstrap.roads import make_broker, start_publishing
from notifier.cli import local_events, local_failures, local_listing
from notifier.cli.answers import Answer, NoAnswer
from notifier.cli.database import NotUsable, open_database, reason_of
from notifier.domain.errors import NotConfirmed, NotFound, NotifierError
from notifier.domain.ids import parse_notification_id
from notifier.domain.keys import parse_tenant
from notifier.domain.lanes import Channel, Lane
from notifier.domain.notification import NewNotification
from notifier.domain.replays import OperationKind
from notifier.http import lane_views, lanes, provider_views, providers, sending, views
from notifier.http.answers import encoded
from notifier.http.callers import Caller
from notifier.http.compose import Asked, compose
from notifier.http.problems import Problem, problem_of
from notifier.intake.accept import Submission
from notifier.intake.admission import Level
from notifier.queueing.broker import Publisher
from notifier.queueing.messages import QueueMessage
from notifier.settings import Settings
from notifier.storage import attempts, notifications, workers
from notifier.storage.accepting import Stored
from notifier.telemetry.logs import configure_logs

#: What stands in a row where a key's id would; no key's id is this short.
_KEY_ID = "cli"
_HANDOVER = 6.0
_NO_WORKER = (
    "Nothing sends it until `notifier dev` runs on this database (NOTIFIER_BROKER_URL is embedded://)."
)
_LATER = "The broker did not take it in time: a relay hands it over as soon as it can."


class _Elsewhere:
    """A `Publisher` where the broker lives in another process: what is owed stays owed for its relay."""

    connected = False

    def publish(self, messages: Sequence[QueueMessage]) -> "Future[None]":
        """Refuse at once."""
        future: Future[None] = Future()
        future.set_exception(NotConfirmed("the embedded queue lives in `notifier dev`"))
        return future

    def close(self) -> None:
        """Nothing is open."""


@dataclass(slots=True)
class _Watched:
    """A `Publisher` that remembers what became of its groups."""

    inner: Publisher
    groups: list["Future[None]"] = field(default_factory=list)

    @property
    def connected(self) -> bool:
        """See `Publisher`."""
        return self.inner.connected

    def start(self) -> None:
        """Connect in the background, where there is something to connect to."""
        start: Callable[[], None] | None = getattr(self.inner, "start", None)
        if start is not None:
            start()

    def publish(self, messages: Sequence[QueueMessage]) -> "Future[None]":
        """See `Publisher`."""
        self.groups.append(self.inner.publish(messages))
        return self.groups[-1]

    def close(self) -> None:
        """See `Publisher`."""
        self.inner.close()

    @property
    def taken(self) -> bool:
        """Whether the broker has confirmed everything."""
        return all(group.done() and group.exception() is None for group in self.groups)


class LocalDoor:
    """A `Door` without HTTP, for one tenant's data or that of its test keys."""

    def __init__(self, settings: Settings, tenant: str) -> None:
        self._settings = settings
        mode = parse_tenant(tenant)[1]
        self._caller = Caller(key_id=_KEY_ID, tenant=tenant, mode=mode, scopes=frozenset({"send", "read"}))
        configure_logs("console", "critical")

    def send(self, body: bytes, *, idempotency_key: str | None, dry_run: bool) -> Answer:
        """See `Door`; a dry run needs no database."""
        broker = make_broker(self._settings)
        publisher = _Watched(_Elsewhere() if self._settings.embedded else broker.publisher)
        front = make_front(self._settings, replace(broker, publisher=publisher))
        try:
            if dry_run:
                notification, asked = self._checked(front, body)
                return Answer(HTTPStatus.OK, sending.dry_run(notification, asked))
            with open_database(self._settings):
                return self._keep(front, publisher, body, idempotency_key)
        except (NotUsable, SQLAlchemyError) as error:
            raise NoAnswer(_said(error)) from None
        except Problem as problem:
            return _refused(problem)
        except NotifierError as error:
            return _refused(problem_of(error))
        finally:
            front.engine.dispose()
            front.writes.dispose()
            front.clearing.dispose()

    def show(self, notification: str) -> Answer:
        """See `Door`."""
        wanted, tenant = parse_notification_id(notification), self._caller.tenant
        try:
            with open_database(self._settings) as engine:
                row = notifications.get(engine, tenant, wanted) if wanted else None
                if row is None:
                    return _refused(problem_of(NotFound()))
                return Answer(HTTPStatus.OK, _plain(views.detailed(row, attempts.of(engine, tenant, row.id))))
        except NotUsable as error:
            raise NoAnswer(str(error)) from None

    def notifications(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        return self._stored(lambda engine: local_listing.page(engine, self._caller.tenant, query))

    def lanes(self) -> Answer:
        """See `Door`."""
        return self._of_lanes(lambda facts: {"data": lane_views.lanes(facts)})

    def set_paused(self, lane: Lane, paused: bool) -> Answer:
        """See `Door`; whoever may use the database needs no key, so none is noted."""
        if lane not in self._settings.lanes:
            return _refused(problem_of(NotFound()))
        return self._of_lanes(
            lambda facts: lane_views.lane_document(facts, lane),
            lambda engine: lanes.set_paused(engine, lane, paused, None),
        )

    def providers(self) -> Answer:
        """See `Door`."""
        names = provider_names(self._settings)
        fresh = self._settings.beat_fresh_seconds
        return self._stored(
            lambda engine: Answer(
                HTTPStatus.OK,
                _plain({"data": provider_views.providers(providers.facts_of(engine, fresh), names)}),
            )
        )

    def operator_events(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        return self._stored(lambda engine: local_events.page(engine, self._caller.tenant, query))

    def set_disabled(self, name: str, channel: Channel | None, disabled: bool) -> Answer:
        """See `Door`; whoever may use the database needs no key, so none is noted."""
        names, fresh = provider_names(self._settings), self._settings.beat_fresh_seconds
        try:
            key = provider_views.the_account(names, name, channel)
        except NotifierError as error:
            return _refused(problem_of(error))

        def change(engine: Engine) -> Answer:
            providers.set_disabled(engine, key, disabled, None)
            facts = providers.facts_of(engine, fresh)
            return Answer(HTTPStatus.OK, _plain(provider_views.provider_document(facts, names, key)))

        return self._stored(change)

    def failures(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        return self._stored(lambda engine: local_failures.page(engine, self._caller.tenant, query))

    def failure_summary(self, query: Mapping[str, str]) -> Answer:
        """See `Door`."""
        return self._stored(lambda engine: local_failures.summary(engine, self._caller.tenant, query))

    def work_on_failures(self, kind: OperationKind, body: bytes) -> Answer:
        """See `Door`; whoever may use the database needs no key, so none is noted."""
        fresh = self._settings.beat_fresh_seconds
        return self._stored(lambda engine: local_failures.begin(engine, self._caller, kind, body, fresh))

    def operation(self, name: str) -> Answer:
        """See `Door`."""
        return self._stored(lambda engine: local_failures.operation(engine, self._caller.tenant, name))

    def stop_operation(self, name: str) -> Answer:
        """See `Door`."""
        return self._stored(lambda engine: local_failures.stop(engine, self._caller.tenant, name))

    def _stored(self, question: Callable[[Engine], Answer]) -> Answer:
        try:
            with open_database(self._settings) as engine:
                return question(engine)
        except NotUsable as error:
            raise NoAnswer(str(error)) from None
        except Problem as problem:
            return _refused(problem)
        except NotifierError as error:
            return _refused(problem_of(error))

    def _of_lanes(
        self,
        view: Callable[[lane_views.Facts], dict[str, Any]],
        first: Callable[[Engine], object] = lambda _: None,
    ) -> Answer:
        try:
            with open_database(self._settings) as engine:
                first(engine)
                facts = lanes.facts_of(engine, self._settings.beat_fresh_seconds, self._settings.lanes)
        except NotUsable as error:
            raise NoAnswer(str(error)) from None
        return Answer(HTTPStatus.OK, _plain(view(facts)))

    def close(self) -> None:
        """Nothing is kept open."""

    def _checked(self, front: Front, body: bytes) -> tuple[NewNotification, Asked]:
        _, config = make_door(self._settings, front)
        fields, errors = sending.read_request(body)
        asked = Asked(caller=self._caller, config=config, now=front.clock.now(), request_id=uuid4().hex)
        return compose(fields, asked, errors), asked

    def _keep(self, front: Front, publisher: _Watched, body: bytes, key: str | None) -> Answer:
        """Accept as the door does, and wait a little for the broker to take it."""
        front.clock.sync()
        gauges = workers.read_gauges(front.engine)
        front.admission.level = Level(gauges.get("pending", 0), gauges.get("database_bytes", 0))
        notification, _ = self._checked(front, body)

        def respond(stored: Sequence[Stored]) -> bytes:
            return encoded(views.accepted(stored[0], notification))

        submission = Submission(
            notifications=[notification],
            tenant=self._caller.tenant,
            api_key=_KEY_ID,
            route=sending.ROUTE,
            idempotency_key=key,
            body_hash=sending.digest_of(body, {}),
            respond=respond,
        )
        start_publishing(front.broker)
        front.handover.start()
        front.intake.start()
        try:
            kept = front.intake.submit_and_wait(submission)
            front.handover.wait(_HANDOVER)
        finally:
            front.intake.stop()
            front.handover.stop()
            front.broker.publisher.close()
        notes = ["This Idempotency-Key was used before: this is its first answer."] if kept.replayed else []
        if not kept.replayed:
            notes += self._road_notes(front, publisher)
        return Answer(HTTPStatus.ACCEPTED, msgspec.json.decode(kept.answer), tuple(notes))

    def _road_notes(self, front: Front, publisher: _Watched) -> list[str]:
        """What stands between the notification and its worker, if anything does."""
        if not self._settings.embedded:
            return [] if publisher.taken else [_LATER]
        fresh = self._settings.beat_fresh_seconds
        return [] if workers.any_living(front.engine, fresh, "worker") else [_NO_WORKER]


def _refused(problem: Problem) -> Answer:
    return Answer(problem.status, problem.document(None))


def _plain(document: object) -> dict[str, object]:
    """As it would arrive over HTTP: enums and the like as text."""
    plain: dict[str, object] = msgspec.to_builtins(document)
    return plain


def _said(error: Exception) -> str:
    if isinstance(error, SQLAlchemyError):
        return f"the database can't be used: {reason_of(error)}"
    return str(error)
