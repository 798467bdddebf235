"""What is published works: the wheel, in an empty environment, in an empty folder."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path) -> str:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("NOTIFIER_", "PYTHON"))
    }
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=clean, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_holds_the_package_and_its_migrations_only(wheel):
    """Migrations travel inside the package: a top-level `alembic` would shadow the library."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"notifier"}
    assert "notifier/_migrations/alembic.ini" in names
    assert "notifier/_migrations/alembic/env.py" in names
    assert "notifier/py.typed" in names
    assert {"notifier/http/assets/console.html", "notifier/http/assets/main.js"} <= set(names)
    assert [name for name in names if name.startswith("notifier/_migrations/alembic/versions/0001")]


def test_notifier_dev_runs_from_the_wheel_in_an_empty_folder(wheel, tmp_path):
    """Nothing of the checkout is needed: nine deliveries, from a new environment."""
    home, work = tmp_path / "env", tmp_path / "work"
    work.mkdir()
    # With the pip that is here, and nothing compiled that is not imported: both cost more than all the rest.
    venv.create(home, with_pip=False)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        home / "bin" / "python",
        "install",
        "--quiet",
        "--no-compile",
    ]
    run(*pip, "--require-hashes", "-r", ROOT / "requirements" / "base.txt", cwd=work)
    run(*pip, "--no-deps", wheel, cwd=work)

    said = run(home / "bin" / "notifier", "dev", "--port", "0", "--once", cwd=work)

    assert "9 of 9 delivered." in said
    assert sorted(path.name for path in work.iterdir()) == ["notifier.db"]
    ini = run(home / "bin" / "notifier", "migrate", "--ini", cwd=work).strip()
    assert Path(ini).is_relative_to(home)
    run(home / "bin" / "alembic", "-c", ini, "upgrade", "head", cwd=work)
