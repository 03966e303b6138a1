"""A wheel installed in an empty environment does what the checkout does."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an empty environment with the wheel in it, far from the checkout.

    The libraries are lent from the environment that runs the tests: its folder is on the path, but
    its .pth files, which lead to the checkout, don't count there.
    """
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "venv" / "lib" / version / "site-packages"
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


def run(python: Path, *arguments: str, home: Path, stdin: str = "") -> str:
    """Standard output of a command in the environment."""
    done = subprocess.run(
        [python, *arguments],
        cwd=home,
        env={**os.environ, "COPYGEN_HOME": str(home), "PYTHONPATH": ""},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_the_code_itself(installed: Path, tmp_path: Path) -> None:
    where = run(installed, "-c", "import copygen; print(copygen.__file__)", home=tmp_path)
    assert str(ROOT) not in where


def test_the_wheel_writes_the_example(installed: Path, tmp_path: Path) -> None:
    output = run(installed, "-m", "copygen", "demo", home=tmp_path)
    for segment in ("new-subscribers", "browsed-knitwear", "winter-shoppers"):
        assert segment in output
    assert "reviewer@example.com" in output


def test_the_wheel_checks_texts(installed: Path, tmp_path: Path) -> None:
    line = json.dumps({"id": 1, "subject": "What the f u c k is this"})
    output = json.loads(run(installed, "-m", "guardrails", "check", home=tmp_path, stdin=line))
    assert output["verdict"] == "block"
    assert output["not_run"] == []


def test_the_wheel_holds_the_pages(installed: Path, tmp_path: Path) -> None:
    code = (
        "from importlib.resources import files; import review_ui, js_lib_htmx; "
        "pages = list((files('review_ui') / 'templates').iterdir()); assert pages"
    )
    run(installed, "-c", code, home=tmp_path)
