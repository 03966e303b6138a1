"""The command line, as a user runs it: exit status, one clear message, no traceback."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from copygen.database import Database


def run(*arguments: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `copygen` with a home of its own."""
    return subprocess.run(
        [sys.executable, "-m", "copygen", *arguments],
        env={**os.environ, "COPYGEN_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def edited(source: Path, target: Path, old: str, new: str) -> Path:
    """A copy of `source` in the folder `target`, with one thing changed."""
    text = source.read_text()
    assert old in text
    path = target / source.name
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("campaign:", "campaign: [", "line 2: broken YAML"),
        ("facts:", "fatcs:", "fatcs: unknown key. Did you mean 'facts'?"),
        (
            "facts:\n  - Spun in a mill in Hawick\n  - Six undyed colours\n  - Sizes XS to XXL\n"
            "  - Ribbed cuffs and hem\n",
            "facts: []\n",
            "facts: is empty; write at least one",
        ),
        ("cta: Choose", "cta: '{{ last_name }}, choose'\n#", "{{ last_name }} is unknown"),
        ("subject: 50", "subject: 3", "limits.subject"),
        ("+01:00", "", "offer.ends"),
        ("brand: harrow-and-pine", "brand: nobody", "nobody.yaml"),
    ],
)
def test_a_mistake_in_a_brief_is_named(
    brief_file: Path, tmp_path: Path, old: str, new: str, named: str
) -> None:
    path = edited(brief_file, tmp_path, old, new)
    done = run("generate", str(path), home=tmp_path / "home")
    assert done.returncode == 2
    assert named in done.stderr
    assert str(path) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_missing_brief_is_named(tmp_path: Path) -> None:
    done = run("generate", str(tmp_path / "none.yaml"), home=tmp_path / "home")
    assert done.returncode == 2
    assert "none.yaml: there is no such file" in done.stderr


def test_an_unknown_option_is_the_users_mistake(tmp_path: Path) -> None:
    assert run("generate", "--no-such-option", home=tmp_path).returncode == 2


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run("generate", "none.yaml", "--debug", home=tmp_path)
    assert "Traceback" in done.stderr


def test_a_database_of_a_newer_version_is_named(brief_file: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'copygen.sqlite'}")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    done = run("generate", str(brief_file), home=tmp_path)
    assert done.returncode == 2
    assert "9999" in done.stderr
    assert "COPYGEN_HOME" in done.stderr


def test_a_setting_that_makes_no_sense_is_named(tmp_path: Path) -> None:
    done = run("settings", home=tmp_path, COPYGEN_PORT="eighty")
    assert done.returncode == 2
    assert "COPYGEN_PORT" in done.stderr


def test_a_model_that_is_not_there_is_named_before_anything_is_accepted(
    brief_file: Path, tmp_path: Path
) -> None:
    model = str(tmp_path / "none.gguf")
    done = run("generate", str(brief_file), home=tmp_path, COPYGEN_MODEL=model, HF_HUB_OFFLINE="1")
    assert done.returncode == 2
    assert "COPYGEN_MODEL" in done.stderr
    with Database(f"sqlite:///{tmp_path / 'copygen.sqlite'}").read() as session:
        count = session.connection().exec_driver_sql("SELECT COUNT(*) FROM batch").scalar()
    assert count == 0


def test_a_language_that_the_model_does_not_write_is_named(
    brief_file: Path, tmp_path: Path
) -> None:
    done = run(
        "generate",
        str(edited(brief_file, tmp_path, "language: en", "language: de")),
        "--brand",
        str(brief_file.parents[1] / "brands" / "harrow-and-pine.yaml"),
        home=tmp_path / "home",
    )
    assert done.returncode == 2
    assert "language: de" in done.stderr


def test_a_policy_with_an_unknown_check_is_named(brief_file: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("name: mine\nversion: 1\nchecks: {grammar: {}}\n")
    done = run("generate", str(brief_file), home=tmp_path, COPYGEN_POLICY=str(policy))
    assert done.returncode == 2
    assert "checks.grammar is unknown" in done.stderr


def test_a_home_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("user", "add", "a@example.com", "--role", "admin", home=tmp_path / "file" / "home")
    assert done.returncode == 2
    assert "COPYGEN_HOME" in done.stderr


def test_secrets_stand_alone_on_standard_output(tmp_path: Path) -> None:
    password = run("user", "add", "rita@example.com", "--role", "reviewer", home=tmp_path)
    assert password.returncode == 0
    assert len(password.stdout.split()) == 1
    key = run(
        "key", "add", "script", "--user", "rita@example.com", "--scope", "variants:read",
        "--scope", "reviews:write", home=tmp_path,
    )  # fmt: skip
    assert key.returncode == 0
    assert key.stdout.startswith("cg_")
    assert len(key.stdout.split()) == 1
    again = run("user", "add", "rita@example.com", "--role", "reviewer", home=tmp_path)
    assert again.returncode == 2
    assert "already" in again.stderr
    wrong = run(
        "key", "add", "x", "--user", "rita@example.com", "--scope", "everything", home=tmp_path
    )
    assert wrong.returncode == 2
    assert "everything" in wrong.stderr
    verified = run("audit", "verify", home=tmp_path)
    assert verified.stdout == "2 entries, unbroken\n"
    (listed,) = json.loads(run("key", "list", "--json", home=tmp_path).stdout)
    assert listed["scopes"] == ["reviews:write", "variants:read"]
    assert run("key", "revoke", listed["id"], home=tmp_path).returncode == 0
    assert json.loads(run("key", "list", "--json", home=tmp_path).stdout) == []
    assert run("key", "revoke", listed["id"], home=tmp_path).returncode == 2
    renewed = run("user", "reset", "rita@example.com", home=tmp_path)
    assert renewed.stdout != password.stdout
    exported = run("audit", "export", home=tmp_path).stdout.splitlines()
    assert [json.loads(line)["action"] for line in exported] == [
        "user.added",
        "key.added",
        "key.revoked",
        "user.password_reset",
    ]


def test_generate_writes_json_and_the_copy_can_be_made_again(
    brief_file: Path, tmp_path: Path
) -> None:
    brief = edited(brief_file, tmp_path, "variants: 4", "variants: 2")
    brands = tmp_path / "brands"
    shutil.copytree(brief_file.parents[1] / "brands", brands)
    (tmp_path / "briefs").mkdir()
    brief = brief.rename(tmp_path / "briefs" / brief.name)
    home = tmp_path / "home"
    done = run("generate", str(brief), "--json", "--seed", "7", home=home)
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert set(output) == {"batch", "variants", "candidates", "seconds"}
    variants = output["variants"]
    assert {each["segment"] for each in variants} == {
        "new-subscribers", "browsed-knitwear", "winter-shoppers",
    }  # fmt: skip
    assert [each["slot"] for each in variants] == [1, 2] * 3
    for each in variants:
        keys = [
            "segment",
            "slot",
            "subject",
            "preview",
            "verdict",
            "findings",
            "state",
            "provenance",
        ]
        assert set(keys) <= set(each)
        assert each["state"] == ("blocked" if each["verdict"] == "block" else "pending")
        made_by = each["provenance"]
        assert made_by["generator"]["weights_sha256"]
        assert made_by["generator"]["adapter_sha256"]
        assert made_by["prompt"]["name"] == "brief"
        assert made_by["policy"]["sha256"]
        assert made_by["sampling"]["temperature"] == 0.6
    for each in variants[:2]:
        again = run("reproduce", each["id"], "--json", home=home)
        assert again.returncode == 0, again.stderr
        assert json.loads(again.stdout) == {
            "same": True, "subject": each["subject"], "preview": each["preview"],
        }  # fmt: skip


def test_exceptions_are_listed_and_an_unknown_one_is_named(tmp_path: Path) -> None:
    assert run("exceptions", "list", "--json", home=tmp_path).stdout == "[]\n"
    run("user", "add", "rita@example.com", "--role", "reviewer", home=tmp_path)
    done = run("exceptions", "revoke", "abc", "--user", "rita@example.com", home=tmp_path)
    assert done.returncode == 2
    assert "There is no exception 'abc'" in done.stderr
