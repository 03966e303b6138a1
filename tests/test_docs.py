"""The README and the code say the same."""

import os
import re
import subprocess
import sys
from pathlib import Path

import typer

from copygen.cli import app
from copygen.errors import CopygenError
from copygen.models import Role, Scope
from copygen.settings import Settings
from guardrails.checks import CHECKS
from guardrails.policy import Policy

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ELSEWHERE = ("make ", "copygen serve")
"""Commands that run on until stopped, or install: other tests and the continuous build run them."""


def commands() -> list[str]:
    """Every command, as it is typed."""
    found = []
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [f"copygen {name} {each}" for each in inner] if inner else [f"copygen {name}"]
    return found


def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    commands = [line for line in lines if line and not line.startswith(ELSEWHERE)]
    assert len(commands) >= 5
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for command in commands:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "COPYGEN_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert (tmp_path / "variants.json").stat().st_size > 1000


def test_every_command_is_in_the_readme_and_no_other() -> None:
    for command in commands():
        assert command in README, command
    for mentioned in re.findall(r"`copygen ([a-z]+)", README):
        assert mentioned in {command.split()[1] for command in commands()}, mentioned


def test_every_setting_is_in_the_readme_with_its_meaning() -> None:
    for name, field in Settings.model_fields.items():
        assert f"| `COPYGEN_{name.upper()}` | {field.description} |" in README, name


def test_every_check_is_in_the_readme_and_in_the_default_policy() -> None:
    for name in CHECKS:
        assert f"| `{name}` |" in README, name
    assert set(Policy.load().file.checks) == set(CHECKS)


def test_roles_and_scopes_are_in_the_readme() -> None:
    for each in [*Role, *Scope]:
        assert f"`{each}`" in README, each


def test_every_library_and_its_job_are_in_the_readme() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in re.findall(r'^    "([a-z0-9-]+)[\[>=]', text, re.MULTILINE):
        assert f"| {name} |" in README, name


def test_every_error_is_drawn_in_the_tree() -> None:
    import copygen.errors

    def names(kind: type[CopygenError]) -> list[str]:
        return [kind.__name__, *(each for child in kind.__subclasses__() for each in names(child))]

    tree = copygen.errors.__doc__ or ""
    for name in names(CopygenError):
        if getattr(copygen.errors, name, None) is not None:
            assert name in tree
