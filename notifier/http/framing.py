"""What the head of a request must be beyond what aiohttp's parser asks for (RFC 9112).

Whatever stands between us and the caller may read such a head in another way: then the two disagree about
where a request ends, or about whom it is for.
"""

import re

from aiohttp import hdrs
from aiohttp.http import HttpVersion10, HttpVersion11, RawRequestMessage

#: uri-host and port of RFC 3986, 3.2; an empty one is allowed (RFC 9112, 3.2).
_HOST = re.compile(
    r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]{0,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?", re.ASCII
)


def is_faulty(message: RawRequestMessage) -> bool:
    """Whether a request is of a version that is not spoken here, is packed on its way, or names no host."""
    if message.version != HttpVersion11 and message.version != HttpVersion10:  # noqa: PLR1714 - a set is made each time
        return True
    coding = message.headers.get(hdrs.TRANSFER_ENCODING)
    if coding is not None and (message.version == HttpVersion10 or coding.strip().lower() != "chunked"):
        return True
    return _HOST.fullmatch(message.headers.get(hdrs.HOST, "")) is None
