"""A provider's raw answer made fit to keep: no address, no number, no secret, at most 500 characters.

Providers like to repeat who they refused, and a badly behaved one repeats the command that held the
password. Every pattern is linear: a match may begin only where a word begins.
"""

import re
from collections.abc import Iterable

MAX_ANSWER = 500
#: What is looked at: enough that nothing cut in half at its end can slide into the first 500.
_LOOKED_AT = 4_000
#: Shorter ones would blot out every second word, and protect nothing anyway.
_SHORTEST_SECRET = 4

_ADDRESS = re.compile(r"(?<![^\s<>()\[\],;:])[^\s<>()\[\],;:@]+(?:@|%40)[^\s<>()\[\],;\"']+")
_NUMBER = re.compile(r"(?<!\w)\+\d[\d ().-]{6,18}\d")
_TOKEN = re.compile(r"\b(?:nk_(?:live|test)_|whsec_|Bearer\s+)[\w.~+/=-]{1,2000}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def masked(text: str, *, addresses: Iterable[str] = (), secrets: Iterable[str] = ()) -> str:
    """`text` on one line, cut to 500 characters.

    Addr-specs and `addresses` (the recipient in each of its spellings) become ``<address>``, E.164
    numbers ``<number>``, known token shapes and `secrets` ``<secret>``.
    """
    whole = len(text) <= _LOOKED_AT
    clean = _CONTROLS.sub(" ", text[:_LOOKED_AT])
    if not whole:
        clean = clean.rpartition(" ")[0]
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            clean = clean.replace(secret, "<secret>")
    for address in filter(None, addresses):
        clean = re.sub(rf"(?<!\w){re.escape(address)}(?!\w)", "<address>", clean, flags=re.IGNORECASE)
    clean = _ADDRESS.sub("<address>", clean)
    clean = _TOKEN.sub("<secret>", clean)
    clean = _NUMBER.sub("<number>", clean)
    return " ".join(clean.split())[:MAX_ANSWER]
