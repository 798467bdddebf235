"""The slow path: everything that is wrong with the shape of a request, not only the first thing.

`msgspec` stops at the first mistake. Here a value that it refused is walked beside its type; what is
wrong is listed, and what is right is kept so that the other rules can be checked as well.
"""

import difflib
from typing import Any

import msgspec
from msgspec import inspect

from notifier.domain.errors import FieldError
from notifier.http.problems import shorten
from notifier.http.schemas import NOT_SUPPORTED

_INT64 = range(-(2**63), 2**63)
#: More unknown names than this are not compared with the known ones, which takes its time.
_MAX_SUGGESTIONS = 20

Errors = list[FieldError]


def check_shape(value: Any, struct: type[msgspec.Struct]) -> tuple[Any, Errors]:
    """The struct in `value`, with None where something is wrong or missing, and all that is wrong.

    The first is None only if `value` is no object at all.
    """
    errors: Errors = []
    return _walk(value, inspect.type_info(struct), "", errors), errors


def escape(name: str) -> str:
    """One step of a JSON pointer (RFC 6901, 3)."""
    return name.replace("~", "~0").replace("/", "~1")


def _walk(value: Any, kind: inspect.Type, at: str, errors: Errors) -> Any:  # noqa: PLR0911 - one line a kind
    kind = _bare(kind)
    if isinstance(kind, inspect.UnionType):
        return _walk_union(value, kind, at, errors)
    if isinstance(kind, inspect.AnyType):
        return _bounded(value, at, errors)
    if not _fits(value, kind):
        errors.append(FieldError(at, "invalid_type", f"must be {_described(kind)}{_hint(value, at)}"))
        return None
    match kind:
        case inspect.StructType():
            return _walk_struct(value, kind, at, errors)
        case inspect.EnumType() | inspect.LiteralType():
            return _chosen(value, kind, at, errors)
        case inspect.ListType():
            return [_walk(item, kind.item_type, f"{at}/{index}", errors) for index, item in enumerate(value)]
        case inspect.DictType():
            return {
                name: _walk(item, kind.value_type, f"{at}/{escape(name)}", errors)
                for name, item in value.items()
            }
        case inspect.IntType() | inspect.FloatType():
            return _bounded(value, at, errors)
        case _:
            return value


def _walk_union(value: Any, kind: inspect.UnionType, at: str, errors: Errors) -> Any:
    if value is None and kind.includes_none:
        return None
    kinds = [one for one in map(_bare, kind.types) if not isinstance(one, inspect.NoneType)]
    for one in kinds:
        if _fits(value, one):
            return _walk(value, one, at, errors)
    named = " or ".join(_described(one) for one in kinds)
    errors.append(FieldError(at, "invalid_type", f"must be {named}{_hint(value, at)}"))
    return None


def _walk_struct(value: dict[str, Any], kind: inspect.StructType, at: str, errors: Errors) -> Any:
    fields = {field.encode_name: field for field in kind.fields}
    _unknown([name for name in value if name not in fields], set(fields), value, (kind, at), errors)
    found: dict[str, Any] = {}
    for name, field in fields.items():
        if name in value:
            found[field.name] = _walk(value[name], field.type, f"{at}/{name}", errors)
        else:
            found[field.name] = None
            if field.required:
                errors.append(FieldError(f"{at}/{name}", "required", "must be given"))
    return kind.cls(**found)


def _unknown(
    names: list[str],
    known: set[str],
    value: dict[str, Any],
    where: tuple[inspect.StructType, str],
    errors: Errors,
) -> None:
    kind, at = where
    later = NOT_SUPPORTED.get(kind.cls.__name__, frozenset())
    for count, name in enumerate(names):
        pointer = f"{at}/{escape(name)}"
        if name in later:
            if value[name] is not None:
                errors.append(FieldError(pointer, "not_supported", "is not supported yet"))
            continue
        close = difflib.get_close_matches(shorten(name), known, 1) if count < _MAX_SUGGESTIONS else []
        detail = f"is not a field here; did you mean {close[0]}?" if close else _fields_here(known)
        errors.append(FieldError(pointer, "unknown_field", detail))


def _fields_here(known: set[str]) -> str:
    return f"is not a field here; the fields are: {', '.join(sorted(known))}"


def _chosen(value: str, kind: inspect.EnumType | inspect.LiteralType, at: str, errors: Errors) -> Any:
    if isinstance(kind, inspect.EnumType):
        allowed = [one.value for one in kind.cls]
        if value in allowed:
            return kind.cls(value)
    else:
        allowed = list(kind.values)
        if value in allowed:
            return value
    errors.append(FieldError(at, "not_allowed", f"must be one of {', '.join(map(str, allowed))}"))
    return None


def _bounded(value: Any, at: str, errors: Errors) -> Any:
    """Whole numbers must fit in 64 bits, wherever they stand."""
    if isinstance(value, dict):
        return {name: _bounded(item, f"{at}/{escape(name)}", errors) for name, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item, f"{at}/{index}", errors) for index, item in enumerate(value)]
    if isinstance(value, int) and value not in _INT64:
        errors.append(FieldError(at, "out_of_range", "must fit in 64 bits"))
        return None
    return value


def _bare(kind: inspect.Type) -> inspect.Type:
    return _bare(kind.type) if isinstance(kind, inspect.Metadata) else kind


def _fits(value: Any, kind: inspect.Type) -> bool:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return isinstance(value, dict)
        case inspect.ListType():
            return isinstance(value, list)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case inspect.BoolType():
            return isinstance(value, bool)
        case _:
            return isinstance(value, str)


_NAMES: dict[type[inspect.Type], str] = {
    inspect.IntType: "an integer",
    inspect.FloatType: "a number",
    inspect.BoolType: "true or false",
}


def _described(kind: inspect.Type) -> str:
    match kind:
        case inspect.StructType() | inspect.DictType():
            return "an object"
        case inspect.ListType():
            return "a list"
        case inspect.EnumType():
            return "one of " + ", ".join(one.value for one in kind.cls)
        case _:
            return _NAMES.get(type(kind), "a string")


def _hint(value: Any, at: str) -> str:
    return "; use a batch for several" if isinstance(value, list) and at.endswith("/to") else ""
