"""Policies of brands: used where there is one, and refused where it is laxer."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from copygen.errors import InvalidInput
from copygen.services import policies
from copygen.services.writing import Job, Writer
from guardrails import Guardrails

STRICT = """
name: harrow
version: 3
extends: default
checks:
  profanity: {severities: {mild: block}}
"""


@pytest.fixture(scope="module")
def base() -> Guardrails:
    """The packaged policy."""
    return Guardrails()


def folder(tmp_path: Path, text: str) -> Path:
    (tmp_path / "harrow-and-pine.yaml").write_text(text)
    return tmp_path


def test_a_brand_without_a_policy_has_that_of_all(
    desk: Any, tmp_path: Path, base: Guardrails
) -> None:
    assert policies.for_brand(base, folder(tmp_path, STRICT), desk.brand(slug="other")) is base
    assert policies.for_brand(base, tmp_path / "none", desk.brand()) is base
    assert policies.for_brand(base, None, desk.brand()) is base


def test_a_brand_is_written_for_under_its_own_policy(
    desk: Any, writer_of: Any, tmp_path: Path, base: Guardrails
) -> None:
    script = ["A damn good jumper\nSix undyed colours."]
    writer = replace(writer_of(script), guardrails=base, policies=folder(tmp_path, STRICT))
    brief = desk.brief(variants=1)
    job = Job("a", brief.segments[0], 0)
    ((_, written),) = writer.write(desk.brand(), brief, [job], 0)
    made_by = written.provenance[0]["policy"]
    assert (made_by["name"], made_by["version"]) == ("harrow", 3)
    assert made_by["sha256"] == written.variants[0].report.policy_hash != base.policy.sha256
    severities = {each.rule: each.severity for each in written.variants[0].report.findings}
    assert severities["mild"] == "block"


def test_a_stored_report_names_all_checks_and_what_was_demanded(
    desk: Any, writer_of: Any, base: Guardrails
) -> None:
    (variant, *_) = desk.fill(writer=replace(writer_of(), guardrails=base))
    assert list(variant.report["outcomes"]) == ["text", *base.policy.file.checks]
    assert variant.report["demanded"] == ["text"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (STRICT + "without: [legal]", r"harrow-and-pine\.yaml: checks\.legal: it is left out"),
        ("name: harrow", r"harrow-and-pine\.yaml: version"),
    ],
)
def test_a_policy_that_can_not_be_used_is_told_before_anything_is_accepted(
    desk: Any, writer_of: Any, tmp_path: Path, base: Guardrails, text: str, named: str
) -> None:
    writer: Writer = replace(writer_of(), guardrails=base, policies=folder(tmp_path, text))
    with pytest.raises(InvalidInput, match=named):
        writer.accept(desk.brand(), desk.brief())
