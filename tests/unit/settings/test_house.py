"""Every setting stands in `.env.example` with its default and reason, and nothing else reads the environment."""

import ast
import re
from pathlib import Path

import pytest

from notifier.settings import Settings, load_settings
from notifier.settings.fields import each
from notifier.settings.names import variable

ROOT = Path(__file__).parents[3]
EXAMPLE = (ROOT / ".env.example").read_text()
#: The only other variables the package may read, and only for `notifier send`.
SENDS_OWN = {"NOTIFIER_URL", "NOTIFIER_API_KEY"}
#: What a terminal says of itself (https://no-color.org): no setting of ours.
TERMINALS = {"TERM", "NO_COLOR"}


def comments(lines: list[str], mark: str, named: re.Pattern[str]) -> dict[str, list[str]]:
    """The comment above each line that `named` matches, by the name it finds."""
    found: dict[str, list[str]] = {}
    pending: list[str] = []
    for line in lines:
        if line.startswith(mark):
            pending.append(line.removeprefix(mark))
        else:
            if name := named.match(line):
                found[name[1]] = pending
            pending = []
    return found


def test_every_setting_stands_in_the_example_with_its_default():
    given = dict(line[1:].split("=", 1) for line in EXAMPLE.splitlines() if re.match(r"#\w", line))
    assert given == Settings().shown()
    assert [*given] == [variable(one.name) for one in each()]


def test_every_setting_stands_in_the_example_with_its_reason():
    source = (ROOT / "notifier/settings/fields.py").read_text().splitlines()
    reasons = comments(
        [line[4:] for line in source if line[:4] == "    "], "#: ", re.compile(r"(\w+): .*= setting\(")
    )
    shown = comments(EXAMPLE.splitlines(), "# ", re.compile(r"#(\w+)="))
    assert {variable(name): reason for name, reason in reasons.items()} == shown
    assert len(reasons) == len(list(each()))
    assert all(len(" ".join(reason)) > 20 for reason in reasons.values())


def test_the_example_can_be_used_as_it_is(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text(re.sub(r"(?m)^#(?=\w)", "", EXAMPLE))
    monkeypatch.chdir(tmp_path)
    for name in Settings().shown():
        monkeypatch.delenv(name, raising=False)
    assert load_settings() == Settings()


def readings(source: str) -> list[str]:
    """Where a module reads the environment: the variable if it is plain to see, else the expression."""
    tree = ast.parse(source)
    plain: dict[int, str] = {}
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
                plain.update({id(inner): name for inner in ast.walk(function)})
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
                plain.update({id(inner): name for inner in ast.walk(value)})
            case ast.keyword(arg="envvar" | "auto_envvar_prefix"):
                found.append(node.value.value if isinstance(node.value, ast.Constant) else ast.unparse(node))
            case ast.ImportFrom(module="os", names=names):
                found += [name.name for name in names if name.name in {"environ", "environb", "getenv"}]
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv"):
                found.append(plain.get(id(node), ast.unparse(node)))
    return found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nos.environ.get('A')", ["A"]),
        ("import os\nos.environ['B']", ["B"]),
        ("import os\nos.getenv('C')", ["C"]),
        ("import os\nx = dict(os.environ)", ["os.environ"]),
        ("from os import environ", ["environ"]),
        ("option('--url', envvar='D')", ["D"]),
        ("import os\nos.getpid()", []),
    ],
)
def test_every_way_to_read_the_environment_is_seen(source, found):
    assert readings(source) == found


def test_nothing_but_settings_reads_the_environment():
    others = {}
    for path in sorted((ROOT / "notifier").rglob("*.py")):
        inside = path.relative_to(ROOT / "notifier")
        if inside.parts[0] == "settings" or inside.as_posix() == "telemetry/prometheus_dir.py":
            continue
        allowed = SENDS_OWN | TERMINALS if inside.parts[0] == "cli" else set()
        if bad := [name for name in readings(path.read_text()) if name not in allowed]:
            others[str(inside)] = bad
    assert others == {}
