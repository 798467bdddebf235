"""Every provider that the conformance suites hold to its promises: a module each, with `CANDIDATES`."""

from importlib import import_module
from pathlib import Path

from tests.conformance.provider_kit import Candidate

_MODULES = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))

CANDIDATES: list[Candidate] = [
    candidate
    for name in _MODULES
    for candidate in import_module(f"tests.conformance.candidates.{name}").CANDIDATES
]
