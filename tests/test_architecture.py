"""The layout holds: which package may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ALLOWED = {
    "guardrails": {"guardrails"},
    "review_ui": {
        "review_ui", "copygen.services", "copygen.models", "copygen.schemas", "copygen.database",
        "copygen.settings", "copygen.errors", "guardrails",
    },
    "copygen/api": {
        "copygen.api", "copygen.services", "copygen.models", "copygen.schemas",
        "copygen.database", "copygen.errors",
    },
    "copygen/services": {
        "copygen.services", "copygen.generation", "copygen.prompts", "copygen.models",
        "copygen.schemas", "copygen.errors", "guardrails",
    },
    "copygen/generation": {"copygen.generation", "copygen.errors", "guardrails"},
    "copygen/bench": {
        "copygen.bench", "copygen.generation", "copygen.services", "copygen.prompts",
        "copygen.schemas", "copygen.resources", "copygen.settings", "copygen.errors",
    },
    "copygen/migrations": {"copygen.migrations", "copygen.models"},
    "copygen/models.py": set(),
    "copygen/errors.py": set(),
    "copygen/resources.py": set(),
    "copygen/settings.py": {"copygen.errors"},
    "copygen/database.py": {"copygen.errors"},
    "copygen/prompts.py": {"copygen.errors"},
    "copygen/schemas.py": {"copygen.errors", "guardrails"},
    "copygen/worker.py": {
        "copygen.services", "copygen.database", "copygen.settings", "copygen.errors",
    },
    "copygen/composition.py": {
        "copygen.services", "copygen.generation", "copygen.settings", "copygen.resources",
        "copygen.errors", "guardrails",
    },
    "copygen/main.py": {"copygen", "review_ui"},
    "copygen/commands.py": {"copygen", "guardrails"},
    "copygen/administration.py": {"copygen"},
    "copygen/model_commands.py": {"copygen"},
    "copygen/exception_commands.py": {"copygen", "guardrails"},
    "copygen/cli.py": {"copygen"},
    "copygen/__main__.py": {"copygen.cli"},
}  # fmt: skip
"""What each part may import of ours. `main` and `composition` alone compose."""

OURS = ("copygen", "guardrails", "review_ui", "tests", "prompts")


def imports(path: Path) -> set[str]:
    """Modules of ours that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by the full name"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from copygen import schemas` imports a module, `from copygen.errors import X` a name.
            found |= names if node.module in OURS else {str(node.module)}
    return {name for name in found if name.split(".")[0] in OURS}


def files() -> list[Path]:
    """Every module of the three packages."""
    return sorted(
        path
        for package in ("copygen", "guardrails", "review_ui")
        for path in (ROOT / package).rglob("*.py")
    )


def part(path: Path) -> str:
    """The most exact part of `ALLOWED` that a file belongs to."""
    name = path.relative_to(ROOT).as_posix()
    fitting = [each for each in ALLOWED if name == each or name.startswith(f"{each}/")]
    return max(fitting, key=len, default="")


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_only_what_its_part_may(path: Path) -> None:
    if (
        path.name == "__init__.py"
        and path.parent.parent == ROOT
        and path.parent.name != "guardrails"
    ):
        assert imports(path) == set()
        return
    allowed = ALLOWED[part(path)]
    for name in imports(path):
        assert any(name == each or name.startswith(f"{each}.") for each in allowed), name


def test_no_module_reads_the_environment_but_settings() -> None:
    for path in files():
        text = path.read_text()
        assert "os.environ" not in text, path
        assert "getenv" not in text, path
