"""The only reader of the environment and of `.env`: text in, a checked Settings or every problem out."""

# ruff: noqa: E402 - environs is imported in its own way first
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from notifier.settings.light_environs import import_environs

import_environs()

from environs import Env, EnvValidationError, ValidationError

from notifier.settings.checks import clashes
from notifier.settings.fields import Settings, each
from notifier.settings.names import PREFIX, rule_of, variable
from notifier.settings.values import SHOWN, Rule, SettingsError

#: Read by `notifier send`, not settings of the service.
_NOT_OURS = frozenset({"NOTIFIER_URL", "NOTIFIER_API_KEY"})
#: What Kubernetes puts into every pod beside a Service called notifier or notifier-…
_SERVICE_LINK = re.compile(
    r"NOTIFIER(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_\w+)?)"
)
_FILE = "_FILE"
_LONGEST_FILE = 65_536


class _Source(Env):
    """Environs, reading a mapping handed in instead of the process's environment."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._variables = variables

    def _get_value(self, env_key: str, default: Any) -> Any:
        if env_key in self._variables:
            return self._variables[env_key]
        return self._environ.get(env_key, default)

    def names(self) -> set[str]:
        """Every variable set in the mapping or in `.env` that bears our prefix."""
        return {name for name in (*self._variables, *self._environ) if name.startswith(PREFIX)}

    def take(self, name: str) -> str | None:
        """The text of a variable, or None when it is not set."""
        value: str | None = self._get_value(name, None)
        return value


def load_settings(
    environ: Mapping[str, str] | None = None, *, overrides: Mapping[str, object] | None = None
) -> Settings:
    """Settings from the environment and `.env` in the working directory, or from `environ` alone.

    `overrides` (by field name, as ``{"http_port": 0}``) go before both and are checked like them.
    Raises `SettingsError` with everything that is wrong, in the order of the fields.
    """
    env = source(environ)
    texts, problems = _texts(env, overrides or {})
    given = _parse(texts, problems)
    settings = Settings(**given)
    for clash in clashes(settings):
        # A wrong value was replaced by its default: whatever clashes with that says nothing.
        if not any(variable(name) in problems for name in clash.names):
            problems.setdefault(variable(clash.names[0]), clash.allowed)
    if problems:
        raise SettingsError(_in_order(problems))
    return settings


def open_to_others(path: Path) -> bool:
    """Whether `path`, a file of secrets such as `.env`, exists and every user may read it."""
    try:
        return bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


def source(environ: Mapping[str, str] | None) -> _Source:
    """The variables of `environ`, else of the environment and `.env`, which may be what can't be read."""
    if environ is not None:
        return _Source(environ)
    env = _Source(os.environ)
    try:
        env.read_env(Path.cwd() / ".env", recurse=False)
    except (OSError, ValueError) as error:
        raise SettingsError([(".env", "must be a readable text file in UTF-8")]) from error
    return env


def _texts(env: _Source, overrides: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """The text of every setting that is set, by field, and what is wrong with names and files."""
    rules = {one.name: rule_of(one) for one in each()}
    problems = _unknown(env, rules)
    for name in overrides.keys() - rules.keys():
        problems[name] = _suggest(name, rules)
    texts: dict[str, str] = {}
    for name, rule in rules.items():
        try:
            text = _as_text(overrides[name]) if name in overrides else _text(env, variable(name), rule)
        except ValueError as error:
            problems[variable(name)] = str(error)
            continue
        if text is not None:
            texts[name] = text
    return texts, problems


def _parse(texts: Mapping[str, str], problems: dict[str, str]) -> dict[str, Any]:
    """The values of `texts` by field; what is wrong with them is added to `problems`."""
    env = _Source({variable(name): text for name, text in texts.items()})
    env.add_parser("setting", _read)
    given = {
        one.name: env.setting(variable(one.name), rule=rule_of(one)) for one in each() if one.name in texts
    }
    try:
        env.seal()
    except EnvValidationError as error:
        messages = cast("Mapping[str, list[str]]", error.error_messages)
        problems.update({name: " ".join(found) for name, found in messages.items()})
    return {name: value for name, value in given.items() if value is not None}


def _read(text: str, *, rule: Rule) -> object:
    try:
        return rule.read(text)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _text(env: _Source, name: str, rule: Rule) -> str | None:
    """The variable's text, or that of the file its _FILE variant names."""
    text, path = env.take(name), env.take(name + _FILE) if rule.secret else None
    if path is None:
        return text
    if text is not None:
        raise ValueError(f"must be set only once: here or by {name + _FILE}")
    try:
        with Path(path).open(encoding="utf-8") as file:
            return file.read(_LONGEST_FILE)
    except (OSError, ValueError):
        raise ValueError(f"must stand in the file that {name + _FILE} names, which can't be read") from None


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _unknown(env: _Source, rules: Mapping[str, Rule]) -> dict[str, str]:
    """Variables with our prefix that set nothing: a misspelt setting must not stay silent."""
    known = {variable(name) for name in rules} | _NOT_OURS
    known |= {variable(name) + _FILE for name, rule in rules.items() if rule.secret}
    problems = {}
    for name in env.names() - known:
        link = _SERVICE_LINK.fullmatch(name) or (name.endswith("_PORT") and "://" in (env.take(name) or ""))
        if not link:
            problems[name] = _suggest(name, known)
    return problems


def _suggest(name: str, known: Iterable[str]) -> str:
    import difflib  # only who is mistaken waits for it

    close = difflib.get_close_matches(name[:SHOWN], list(known), n=1)
    return f"is not a setting; did you mean {close[0]}?" if close else "is not a setting"


def _in_order(problems: Mapping[str, str]) -> list[tuple[str, str]]:
    """Problems in the order of the settings, unknown names last."""
    order = {variable(one.name): number for number, one in enumerate(each())}
    return sorted(problems.items(), key=lambda problem: (order.get(problem[0], len(order)), problem[0]))
