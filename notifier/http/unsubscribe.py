"""`/v1/unsubscribe/{token}`: a reader leaves a topic with one click (RFC 8058), without a key, cookie or redirect.

Mail programs send a POST. Whoever opens the link sees a page with a button that sends the same: a GET changes nothing,
for scanners of mail fetch every link. A token nobody here has made is 404, after the same work as a genuine one.
"""

import structlog
from aiohttp import web

from notifier.domain.errors import NotFound
from notifier.domain.ids import notification_id
from notifier.http.body import read_body
from notifier.http.parts import CONFIG, PARTS, WAITED, read
from notifier.http.queries import read_query
from notifier.storage import suppressions

log = structlog.get_logger()

#: Nothing from elsewhere, nothing that runs, and the form only back to where it came from.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""
_ASK = _PAGE.format(
    title="Unsubscribe",
    body='<p>Do you want to get no more e-mails like the one that led you here?</p><form method="post">'
    '<input type="hidden" name="List-Unsubscribe" value="One-Click"><button>Unsubscribe</button></form>',
)
_DONE = _PAGE.format(title="Unsubscribed", body="<p>You will get no more e-mails like that one.</p>")


async def ask(request: web.Request) -> web.Response:
    """The page with the button."""
    read_query(request, {})
    if request.app[PARTS].links.read(request.match_info["token"]) is None:
        raise NotFound
    return _page(_ASK)


async def leave(request: web.Request) -> web.Response:
    """Send the reader nothing more of the e-mail's topic; once more is the same."""
    read_query(request, {})
    wanted = request.app[PARTS].links.read(request.match_info["token"])
    if wanted is None:
        raise NotFound
    config = request.app[CONFIG]
    # What a mail program says in it is known: it says it only to tell itself from those that follow links.
    await read_body(request, limit=config.body_limit, deadline=config.body_deadline)
    request[WAITED] = 0.0
    if not await read(request, suppressions.leave_topic, wanted):
        raise NotFound
    log.info("topic_left", notification=notification_id(wanted))
    return _page(_DONE)


def _page(text: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=_HEADERS)
