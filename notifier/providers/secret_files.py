"""A secret of a provider's URL: as its option says it, or in the file that the option's ``_file`` names."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from notifier.providers.base import SetupError

_LONGEST = 65_536


def text_of(said: Mapping[str, Any], name: str) -> str:
    """The option `name`, or what stands in the file that ``name_file`` names; raises `SetupError` without any of it."""
    if name in said:
        return str(said[name].text)
    try:
        with Path(said[f"{name}_file"]).open(encoding="utf-8") as file:
            return file.read(_LONGEST).strip()
    except (OSError, ValueError):
        raise SetupError(f"the option {name}_file names no file that can be read") from None
