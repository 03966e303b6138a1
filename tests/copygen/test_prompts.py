"""Prompts: strict about their variables and their files, and known by their hash."""

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from copygen.errors import CopygenError, InvalidInput
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services.writing import variables

GOOD = """\
---
name: plain
version: 3
description: For tests.
variables: [brand, cta]
---
Brand: {{ brand.name }}
Do: {{ cta }}
"""

ADAPTER_FORMAT = """\
Brand: Harrow & Pine. Warm and plain-spoken. Short sentences. No hype.
Sounds like: A good coat for a wet Tuesday. / We fixed the zip. You told us to. / Here's a hat.
Product: lambswool crew-neck jumpers
News: The first lambswool of the season is in.
Offer: 15% off the first jumper; code FIRSTLAYER; ends Tuesday 6 October; terms: New customers only
Facts: Spun in a mill in Hawick; Six undyed colours; Sizes XS to XXL
Do: Choose your colour
To: joined this month
Tags: {{ first_name }}
Kind: promotional

"""
"""What the packaged adapter was trained on, to the character."""

SOUNDS_LIKE = [
    "A good coat for a wet Tuesday.",
    "We fixed the zip. You told us to.",
    "Here's a hat.",
]


def load(folder: Path, text: str) -> Prompt:
    (folder / "plain.jinja").write_text(text, encoding="utf-8")
    return Prompt.load(folder, "plain")


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        load(folder, text)
    assert str(folder / "plain.jinja") in str(caught.value)
    return str(caught.value)


def test_a_prompt_renders(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    text = prompt.render({"brand": {"name": "Harrow & Pine"}, "cta": "Choose"})
    assert text == "Brand: Harrow & Pine\nDo: Choose\n"


def test_name_version_and_hash_are_recorded(tmp_path: Path) -> None:
    digest = hashlib.sha256(GOOD.encode()).hexdigest()
    assert load(tmp_path, GOOD).record() == {"name": "plain", "version": "3", "sha256": digest}


def test_any_change_of_the_file_changes_its_hash(tmp_path: Path) -> None:
    first = load(tmp_path, GOOD).sha256
    assert load(tmp_path, GOOD + "\n").sha256 != first


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    with pytest.raises(InvalidInput, match=r"'plain': the variable 'cta' is missing"):
        prompt.render({"brand": {"name": "x"}})


def test_an_unknown_variable_is_named(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    with pytest.raises(InvalidInput, match=r"'plain': the variable 'tone' is unknown"):
        prompt.render({"brand": {"name": "x"}, "cta": "y", "tone": "z"})


def test_a_missing_part_of_a_variable_is_named(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    with pytest.raises(InvalidInput, match=r"'plain': .*'name'"):
        prompt.render({"brand": {}, "cta": "y"})


def test_an_undeclared_variable_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, GOOD + "{{ tone }}\n")
    assert "the variable 'tone' is used but not declared" in error


def test_an_unused_variable_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, GOOD.replace("{{ cta }}", "buy"))
    assert "the variable 'cta' is declared but not used" in error


@pytest.mark.parametrize(
    "text",
    ["", "Brand: x\n", "---\nname: plain\n", "\n" + GOOD, GOOD.replace("---\nBrand", "Brand")],
)
def test_a_file_without_front_matter_is_refused(tmp_path: Path, text: str) -> None:
    assert "must begin with front matter" in refusal(tmp_path, text)


def test_broken_yaml_in_the_front_matter_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("[brand, cta]", "[brand, cta")
    assert "broken YAML in the front matter" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("version: 3\n", "", "version"),
        ("version: 3\n", "version: 3\nmodel: large\n", "model"),
        ("[brand, cta]", "brand", "variables"),
    ],
)
def test_a_key_that_is_wrong_in_the_front_matter_is_named(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    assert f"front matter: {key}: " in refusal(tmp_path, GOOD.replace(old, new))


def test_a_name_that_is_not_the_files_is_refused(tmp_path: Path) -> None:
    error = refusal(tmp_path, GOOD.replace("name: plain", "name: other"))
    assert "'other'" in error
    assert "'plain'" in error


def test_a_missing_prompt_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"absent\.jinja"):
        Prompt.load(tmp_path, "absent")


@pytest.mark.parametrize("broken", ["{% if cta %}", "{{ cta", "{{ cta | no_such_filter }}"])
def test_broken_jinja_is_told_with_its_line(tmp_path: Path, broken: str) -> None:
    text = GOOD + "one more line\n" + broken
    line = text.count("\n") + 1
    error = refusal(tmp_path, text)
    assert f", line {line}: broken Jinja: " in error


@pytest.mark.parametrize(
    "escape",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cta.__class__.__init__.__globals__ }}",
        "{{ ''['__cl' ~ 'ass__'].mro() }}",
        "{{ brand.tags.append('x') }}",
        "{{ '%s' | format(cta.__class__) }}",
        "{{ range(10 ** 9) | list | length }}",
        "{% include 'other' %}",
    ],
)
def test_a_prompt_can_not_leave_its_sandbox(tmp_path: Path, escape: str) -> None:
    with pytest.raises(InvalidInput):
        load(tmp_path, GOOD + escape).render({"brand": {"name": "x", "tags": []}, "cta": "y"})


def test_text_that_looks_like_jinja_is_not_run(tmp_path: Path) -> None:
    prompt = load(tmp_path, GOOD)
    text = prompt.render({"brand": {"name": "{{ 7 * 7 }}"}, "cta": "{% raw %}"})
    assert text == "Brand: {{ 7 * 7 }}\nDo: {% raw %}\n"


def test_text_is_not_escaped_as_html(tmp_path: Path) -> None:
    text = load(tmp_path, GOOD).render({"brand": {"name": "A & B"}, "cta": "<3"})
    assert text == "Brand: A & B\nDo: <3\n"


@pytest.fixture
def adapter_brief(desk: Any) -> Any:
    """The brief that the adapter's card shows its format with."""
    return desk.brief(
        offer={
            "text": "15% off the first jumper",
            "code": "FIRSTLAYER",
            "ends": datetime.fromisoformat("2026-10-06T23:59:00+01:00"),
            "terms": "New customers only",
        },
        facts=["Spun in a mill in Hawick", "Six undyed colours", "Sizes XS to XXL"],
        segments=[
            desk.segment(
                "new-subscribers",
                description="joined this month",
                merge_tags={"first_name": {"fallback": "there"}},
            )
        ],
    )


def test_the_brief_prompt_is_the_format_that_the_adapter_was_trained_on(
    desk: Any, adapter_brief: Any
) -> None:
    text = Prompt.load(data_folder("prompts"), "brief").render(
        {
            "brand": desk.brand(),
            "brief": adapter_brief,
            "segment": adapter_brief.segments[0],
            "sounds_like": SOUNDS_LIKE,
        }
    )
    assert text == ADAPTER_FORMAT


def test_the_brief_prompt_leaves_out_lines_with_nothing_to_say(desk: Any) -> None:
    brief = desk.brief()
    text = Prompt.load(data_folder("prompts"), "brief").render(
        {
            "brand": desk.brand(on_voice=[]),
            "brief": brief,
            "segment": brief.segments[0],
            "sounds_like": [],
        }
    )
    names = [line.split(":")[0] for line in text.splitlines()]
    assert names == ["Brand", "Product", "News", "Facts", "Do", "To", "Kind", ""]


@pytest.mark.parametrize("part", ["code", "ends", "terms"])
def test_the_brief_prompt_leaves_out_what_an_offer_lacks(
    desk: Any, adapter_brief: Any, part: str
) -> None:
    offer = adapter_brief.offer.model_copy(update={part: None})
    brief = adapter_brief.model_copy(update={"offer": offer})
    values = {"brand": desk.brand(), "brief": brief, "segment": brief.segments[0]}
    text = Prompt.load(data_folder("prompts"), "brief").render(
        {**values, "sounds_like": SOUNDS_LIKE}
    )
    gone = {
        "code": "; code FIRSTLAYER",
        "ends": "; ends Tuesday 6 October",
        "terms": "; terms: New customers only",
    }
    assert text == ADAPTER_FORMAT.replace(gone[part], "")


def test_all_packaged_prompts_render(desk: Any, adapter_brief: Any) -> None:
    folder = data_folder("prompts")
    names = sorted(path.stem for path in folder.glob("*.jinja"))
    assert {"brand", "brief", "chat"} <= set(names)
    for name in names:
        prompt = Prompt.load(folder, name)
        filled = variables(prompt, desk.brand(), adapter_brief, adapter_brief.segments[0], seed=1)
        text = prompt.render(filled)
        assert "Harrow & Pine" in text
        assert prompt.head.description


def test_errors_of_prompts_are_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(CopygenError) as caught:
        load(tmp_path, "")
    assert caught.value.exit_status == 2
