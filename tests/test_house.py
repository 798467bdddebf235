"""Habits kept as tests: the house stays as it was drawn."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import dramatiq
import pytest

import notifier
from benchmarks import markdown
from benchmarks.targets import TARGETS
from notifier.bootstrap.back import make_back
from notifier.bootstrap.providers import make_simulators
from notifier.bootstrap.roads import make_broker
from notifier.bootstrap.scheduling import lane_options
from notifier.cli.main import COMMANDS
from notifier.domain.lanes import STANDING, Channel, Lane
from notifier.providers import schemes
from notifier.settings import load_settings

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "notifier").rglob("*.py")
    if "_migrations" not in path.parts
)
#: How far figures of three digits may be off.
_ROUNDED = 0.02
#: What begins to work when it is imported; it needs servers.
PROGRAMS = {"notifier.worker", "notifier.__main__"}


def python(code: str, **settings: str) -> str:
    """What a fresh interpreter prints, with these settings and no others."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NOTIFIER_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean | settings, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_follow_the_corridor():
    """Imports go down only, as architecture.md draws them."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_every_module_imports_alone():
    """No module leans on another having been imported before it."""
    names = [name for name in MODULES if name not in PROGRAMS]
    code = (
        "import subprocess, sys\n"
        f"names = {names!r}\n"
        "import importlib\n"
        "base = set(sys.modules)\n"
        "for name in names:\n"
        "    for loaded in [m for m in sys.modules if m.split('.')[0] == 'notifier']: del sys.modules[loaded]\n"
        "    importlib.import_module(name)\n"
    )
    python(code)


def test_the_package_itself_is_light():
    """`import notifier` loads nothing but itself, so it costs a caller nothing."""
    loaded = python(
        "import sys; before = set(sys.modules); import notifier; print(*sorted(set(sys.modules) - before))"
    )
    assert loaded.split() == ["notifier"]


def test_the_door_pulls_in_no_provider():
    """The HTTP application never imports a provider, let alone its SDK."""
    loaded = python("import sys, notifier.http.app, notifier.intake.accept; print(*sys.modules)").split()
    assert not [name for name in loaded if name.startswith(("notifier.providers", "smtplib"))]


def test_a_worker_for_email_pulls_in_neither_push_nor_sms_nor_the_door():
    """A worker process imports what it may need: nothing of other channels' providers, no HTTP server, no migrations."""
    loaded = python(
        "import gc, sys, notifier.worker; assert gc.isenabled(); print(*sys.modules)",
        NOTIFIER_DATABASE_URL="postgresql+psycopg2://nobody@127.0.0.1/none",
        NOTIFIER_BROKER_URL="amqp://127.0.0.1:1",
        NOTIFIER_EMAIL_PROVIDERS="smtp://127.0.0.1:25",
    ).split()
    others = {scheme.module for scheme in schemes.SCHEMES.values() if scheme.sender is not Channel.EMAIL} - {
        "notifier.providers.console"
    }
    unwanted = {
        "h2",
        "jwt",
        "google",
        "apprise",
        "pywebpush",
        "py_vapid",
        "cryptography",
        "requests",
        "urllib3",
    }
    unwanted |= {"aiohttp", "alembic", "dkim", "dns", "email_validator", "idna", "phonenumbers"}
    # rich and Pygments are the command line's; attrs comes with rich.
    unwanted |= {"rich", "pygments", "attr"}
    assert "notifier.worker" in loaded
    assert "notifier.providers.fcm" in others
    assert sorted(set(loaded) & others) == []
    assert sorted({name.partition(".")[0] for name in loaded} & unwanted) == []
    assert [name for name in loaded if name.startswith(("notifier.http", "notifier.intake"))] == []
    # Another process's, unless that is lost.
    assert [
        name for name in loaded if name.startswith(("notifier.queueing.relay", "notifier.storage.replaying"))
    ] == []


def test_the_door_has_what_reads_addresses_before_its_first_request():
    """What a worker leaves out is no import in the event loop's way."""
    loaded = python("import sys, notifier.http.app; print(*sys.modules)").split()
    assert {"email_validator", "phonenumbers"} <= set(loaded)


def test_structlog_without_rich_leaves_rich_to_who_asks_for_it():
    """The worker's structlog has no rich; the log's own console form and a later `import rich` work all the same."""
    printed = python(
        "import sys\n"
        "from notifier.telemetry.light_structlog import import_structlog\n"
        "import_structlog()\n"
        "assert 'rich' not in sys.modules\n"
        "from notifier.telemetry.logs import configure_logs, get_logger\n"
        "configure_logs('console', 'info', sys.stdout)\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: get_logger('x').exception('it_failed')\n"
        "import rich.console\n"
        "print(rich.console.Console.__name__)\n"
    )
    assert "it_failed" in printed
    assert "ZeroDivisionError" in printed
    assert printed.endswith("Console\n")


@pytest.mark.parametrize(
    ("chats", "channels"), [("", STANDING), ("console://?name=ops", (*STANDING, Channel.CHAT))]
)
def test_lanes_queues_and_actors_are_the_same(tmp_path, chats, channels):
    """Lanes = queues declared = actors = what the scheduler, the gate and the relay know; `Lane.all` is the only list."""
    given = {"NOTIFIER_CHAT_PROVIDERS": chats}
    settings = load_settings(given, overrides={"database_url": f"sqlite:///{tmp_path}/x.db"})
    parts = make_broker(settings)
    make_back(settings, parts)
    lanes = Lane.all(channels)
    queues = {lane.queue(settings.queue_prefix) for lane in lanes}
    assert parts.broker.get_declared_queues() == queues
    assert parts.broker.get_declared_delay_queues() == set()
    assert {actor.queue_name for actor in parts.broker.actors.values()} == queues
    assert set(parts.broker.actors) == {lane.actor for lane in lanes}
    assert {option.name for option in lane_options(settings)} == queues
    assert parts.road.lanes == lanes
    assert set(make_simulators(settings)) == set(channels)


def test_the_service_always_says_which_channels_lanes_it_means():
    """`Lane.all()` without channels leaves chat out, whatever is set: nothing of the service may ask so."""
    guilty = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "notifier").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Lane.all") and not node.args
    ]
    assert guilty == []


def test_stock_middleware_that_loses_messages_is_not_used(tmp_path):
    """No Retries, TimeLimit, AgeLimit, ShutdownNotifications or Results: reliability.md says why."""
    settings = load_settings({}, overrides={"database_url": f"sqlite:///{tmp_path}/x.db"})
    parts = make_broker(settings)
    make_back(settings, parts)
    stock = (
        dramatiq.middleware.Retries,
        dramatiq.middleware.TimeLimit,
        dramatiq.middleware.AgeLimit,
        dramatiq.middleware.ShutdownNotifications,
        dramatiq.results.Results,
    )
    assert not [one for one in parts.broker.middleware if isinstance(one, stock)]


def calls_of(path: Path) -> list[str]:
    tree = ast.parse(path.read_text())
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_no_test_sleeps():
    """Tests wait on signals; only storms may sleep."""
    sleeping = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if "storms" not in path.parts
        and any(call in {"time.sleep", "asyncio.sleep", "sleep"} for call in calls_of(path))
    ]
    assert sleeping == []


def test_no_sql_is_put_together_from_text():
    """Statements are Core with bound parameters: no f-string goes to `text` or `execute`."""
    guilty = []
    for path in (ROOT / "notifier").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {
                "text",
                "execute",
                "exec_driver_sql",
            }:
                guilty += [f"{path}:{node.lineno}" for arg in node.args if isinstance(arg, ast.JoinedStr)]
    assert guilty == []


def test_the_changelog_begins_with_this_version():
    """The changelog's top version is the package's."""
    text = (ROOT / "CHANGELOG.md").read_text()
    found = re.search(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)
    assert found is not None
    assert found[1] == notifier.__version__


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documents_name_only_commands_that_exist(path):
    """Every `make TARGET` and `notifier COMMAND` in the documents is there."""
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(
        a or b for a, b in re.findall(r"```(?:sh|console|bash)\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    )
    for target in re.findall(r"^(?:\$ )?make ([a-z-]+)", code, re.MULTILINE):
        assert target in targets, f"make {target}"
    for name in re.findall(r"^(?:\$ )?notifier ([a-z]+)", code, re.MULTILINE):
        assert name in COMMANDS, f"notifier {name}"


@pytest.mark.parametrize(("name", "letters"), [("README.md", "P"), ("docs/performance.md", "PL")])
def test_the_performance_tables_are_the_generators(name, letters):
    """Columns, rows, works and targets are those of `benchmarks/`, and each verdict is that of its ratio."""
    lines = markdown.inside((ROOT / name).read_text(), "bench").split("\n\n")[0].split("\n")
    head, _, *rows = [[cell.strip() for cell in line[1:-1].split(" | ")] for line in lines]
    assert tuple(head) == markdown.HEADINGS
    known = [target for target in TARGETS.values() if target.id[0] in letters]
    assert [row[0] for row in rows] == [target.id for target in known], "python -m benchmarks.readme"
    for row, target in zip(rows, known, strict=True):
        assert row[1:3] == [target.work, target.against]
        assert row[6] == markdown.target_words(target)
        measured = re.match(r"[\d,.]+", row[5])
        if measured is None:
            assert row[3:6] == ["-", "-", "-"]
            assert row[7] == "not measured"
        else:
            assert row[7] in {"reached", "not reached"}
            # As it is rounded there, so a ratio just at its target may stand either way.
            ratio = float(measured[0].replace(",", ""))
            if abs(ratio / target.ratio - 1) > _ROUNDED:
                good = ratio < target.ratio if target.at_most else ratio > target.ratio
                assert row[7] == ("reached" if good else "not reached"), row[0]


def test_the_tables_of_cores_follow_from_the_cpu_of_one_notification():
    """docs/scaling.md: what one core carries and how many cores a load needs is arithmetic, not opinion."""
    text = (ROOT / "docs" / "scaling.md").read_text()
    cpu = [line[2:-2].split(" | ") for line in markdown.inside(text, "cpu").split("\n\n")[0].split("\n")]
    cores = [line[2:-2].split(" | ") for line in markdown.inside(text, "cores").split("\n")]
    assert tuple(cpu[0]) == markdown.CPU_HEADINGS
    assert tuple(cores[0]) == markdown.CORE_HEADINGS
    assert [row[0] for row in cpu[2:]] == list(markdown.PARTS.values())
    assert [row[0] for row in cores[2:]] == [*markdown.PARTS.values(), "together"]
    for one, needed in zip(cpu[2:], cores[2:], strict=False):
        whole = number(one[4])
        assert number(one[5]) == pytest.approx(1e6 / whole, rel=_ROUNDED)
        for rate, told in zip(markdown.SIZES, needed[1:], strict=True):
            assert number(told) == pytest.approx(rate * whole / 1e6, rel=_ROUNDED, abs=0.001)


def number(text: str) -> float:
    found = re.match(r"[\d,.]+", text)
    assert found is not None
    return float(found[0].replace(",", ""))


def test_lines_of_a_module_stay_readable():
    """A module one would not know one's room in is split: none of the product's has over 300 lines."""
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in (ROOT / "notifier").rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 300
    ]
    assert long == []


def test_promises_name_only_tests_that_exist():
    """Each promise stands with the tests that hold it, and they are there."""
    text = (ROOT / "docs" / "promises.md").read_text()
    named = set(re.findall(r"`(tests/[a-z_/]+(?:\.py)?)`", text))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    assert len(re.findall(r"^## \d+ ", text, re.MULTILINE)) == 16
