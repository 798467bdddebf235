"""For operators: provider accounts as they are now, taking one out by hand, and letting it send again."""

from functools import partial

import structlog
from aiohttp import web
from sqlalchemy import Engine

from notifier.domain.lanes import Channel
from notifier.http import provider_views, queries
from notifier.http.answers import json_answer
from notifier.http.body import read_nothing
from notifier.http.parts import CONFIG, enter, read
from notifier.http.provider_views import ProviderFacts
from notifier.storage import provider_states, workers
from notifier.storage.provider_states import ProviderKey

log = structlog.get_logger("notifier.providers")


async def listing(request: web.Request) -> web.Response:
    """Every configured account, joined over all workers that beat."""
    await enter(request, "read")
    queries.read_query(request, {})
    config = request.app[CONFIG]
    facts = await read(request, facts_of, config.beat_fresh)
    return json_answer({"data": provider_views.providers(facts, config.providers)})


async def disable(request: web.Request) -> web.Response:
    """Nothing more goes through the account, within two seconds on every worker; what runs goes on."""
    return await _set(request, disabled=True)


async def enable(request: web.Request) -> web.Response:
    """The account may send again; its breaker judges it as before."""
    return await _set(request, disabled=False)


def facts_of(engine: Engine, beat_fresh: float) -> ProviderFacts:
    """What storage knows of accounts; a beat older than `beat_fresh` seconds is nobody's any more."""
    return ProviderFacts(workers.living(engine, beat_fresh, "worker"), provider_states.read(engine))


def set_disabled(engine: Engine, key: ProviderKey, disabled: bool, by: str | None) -> bool:
    """Store the word and log it; False, and nothing logged, if the account stands so already."""
    changed = provider_states.set_disabled(engine, key, disabled, by)
    if changed:
        log.warning("provider_disabled" if disabled else "provider_enabled", provider=str(key), by=by)
    return changed


async def _set(request: web.Request, *, disabled: bool) -> web.Response:
    caller = await enter(request, "admin")
    caller.must_be_live()
    query = queries.read_query(request, {"channel": queries.one_of(Channel)})
    config = request.app[CONFIG]
    await read_nothing(request, config)
    key = provider_views.the_account(config.providers, request.match_info["name"], query.get("channel"))
    await read(request, set_disabled, key, disabled, caller.key_id)
    facts = await read(request, partial(facts_of, beat_fresh=config.beat_fresh))
    return json_answer(provider_views.provider_document(facts, config.providers, key))
