"""Files that go with an e-mail: what a caller may attach, and what is kept of it.

The caller's base64 is kept as it is, for that is also how it goes over the wire (RFC 2045, 6.8). A path or a URL is
no attachment: nothing is ever fetched or read for one.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from notifier.domain.errors import FieldError
from notifier.domain.texts import has_control, is_blank

#: What most servers take is 25 MB of base64 at the most; beyond 20 files a link serves readers better.
MAX_ATTACHMENTS = 20
#: All of one e-mail together, in bytes.
MAX_BYTES = 10 * 1024 * 1024
#: Of UTF-8: the longest name that file systems take.
MAX_FILENAME = 255

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)
#: These can't be base64 (RFC 2046, 5.1 and 5.2.1).
_COMPOSITE = ("multipart/", "message/")
_PROGRAM_TYPES = frozenset(
    """
    application/hta application/java-archive application/vnd.microsoft.portable-executable application/x-bat
    application/x-dosexec application/x-executable application/x-msdos-program application/x-msdownload
    application/x-msi application/x-sh application/x-sharedlib application/x-ms-installer
    """.split()
)
#: Gmail's "File types blocked in Gmail", which other large mailboxes refuse as well.
_PROGRAMS = frozenset(
    """
    ade adp apk appx appxbundle bat cab chm cmd com cpl diagcab diagcfg diagpkg dll dmg ex ex_ exe hta img ins iso
    isp jar jnlp js jse lib lnk mde mjs msc msi msix msixbundle msp mst nsh pif ps1 scr sct shb sys vb vbe vbs vhd
    vxd wsc wsf wsh xll
    """.split()
)
#: What turns the direction of writing: with it a name that ends in "exe" can look as if it ended in "txt".
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """One file; `data` is its bytes in base64."""

    filename: str = field(repr=False)
    content_type: str
    data: str = field(repr=False)

    def to_json(self) -> dict[str, str]:
        """As it is stored."""
        return {"filename": self.filename, "content_type": self.content_type, "data": self.data}


def check_attachments(attachments: Sequence[Attachment]) -> list[FieldError]:
    """Everything wrong with `attachments`; pointers are relative to the content."""
    if len(attachments) > MAX_ATTACHMENTS:
        return [FieldError("/attachments", "too_many", f"at most {MAX_ATTACHMENTS} files")]
    errors: list[FieldError] = []
    total = 0
    for index, one in enumerate(attachments):
        at = f"/attachments/{index}"
        errors += _name_errors(f"{at}/filename", one.filename)
        errors += _type_errors(f"{at}/content_type", one.content_type)
        size = decoded_size(one.data)
        if size is None:
            errors.append(FieldError(f"{at}/data", "invalid_base64", "must be base64 of RFC 4648, 4, padded"))
        elif size == 0:
            errors.append(FieldError(f"{at}/data", "blank", "must hold at least one byte"))
        total += size or 0
    if total > MAX_BYTES:
        errors.append(FieldError("/attachments", "too_large", f"at most {MAX_BYTES} bytes together"))
    return errors


def decoded_size(data: str) -> int | None:
    """How many bytes `data` is in base64; None if it is no base64."""
    try:
        return len(binascii.a2b_base64(data, strict_mode=True))
    except ValueError:
        return None


def _name_errors(at: str, name: str) -> Iterator[FieldError]:
    if is_blank(name) or len(name.encode("utf-8", "surrogatepass")) > MAX_FILENAME:
        yield FieldError(at, "length", f"must be a name of at most {MAX_FILENAME} bytes")
    elif has_control(name) or _TURNS & set(name):
        yield FieldError(at, "control_characters", "must not hold control characters, nor turn its direction")
    elif "/" in name or "\\" in name or ".." in name:
        yield FieldError(at, "invalid_filename", "must be a bare name: without / \\ and ..")
    elif name != name.strip() or name.endswith("."):
        # Some systems drop both, and then it is another file.
        yield FieldError(at, "invalid_filename", "must not begin or end with a blank, nor end with a dot")
    elif _extension(name) in _PROGRAMS:
        yield FieldError(at, "not_allowed", "must not be a program: recipients' servers refuse those")


def _type_errors(at: str, kind: str) -> Iterator[FieldError]:
    if _TYPE.fullmatch(kind) is None:
        yield FieldError(at, "invalid_content_type", "must be a bare media type, as in application/pdf")
    elif kind.lower().startswith(_COMPOSITE):
        yield FieldError(at, "not_allowed", "must not be multipart or message")
    elif kind.lower() in _PROGRAM_TYPES:
        yield FieldError(at, "not_allowed", "must not be a program: recipients' servers refuse those")


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""
