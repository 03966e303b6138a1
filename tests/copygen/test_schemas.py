"""Briefs and brands: what is refused, with which words; what is read, and as what."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from copygen.errors import InvalidInput
from copygen.resources import data_folder
from copygen.schemas import MAX_FILE_BYTES, Brand, Brief, check_brand, load

BRIEF = """\
campaign: autumn-knitwear
brand: harrow-and-pine
intent: promotional
product: lambswool crew-neck jumpers
summary: The first lambswool of the season is in.
offer:
  text: 15% off the first jumper
  code: FIRSTLAYER
  ends: 2027-10-06T23:59:00+01:00
facts:
  - Spun in a mill in Hawick
  - Six undyed colours
cta: Choose your colour
language: en
segments:
  - name: new-subscribers
    description: joined this month
    merge_tags:
      first_name: {fallback: there, longest: Maximiliana}
  - name: winter-shoppers
    description: bought a coat last winter
    sensitivity: high
    merge_tags: {first_name: {fallback: there}}
variants: 6
limits: {subject: 50, preview: 90}
must_avoid: [cosy]
"""
BRAND = """\
slug: harrow-and-pine
name: Harrow & Pine
voice: Warm and plain-spoken.
on_voice: [Here's a hat.]
preferred: {jumper: sweater}
sector: clothing
jurisdictions: [UK]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "brief.yaml"


def refusal(path: Path, text: str, kind: type = Brief) -> InvalidInput:
    """The error of a file with `text`; it names the file, and is the caller's to mend."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        load(kind, path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_status == 2
    return caught.value


def changed(old: str, new: str) -> str:
    """The good brief with one part of it replaced."""
    assert BRIEF.count(old) == 1
    return BRIEF.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_good_brief_loads(path: Path) -> None:
    path.write_text(BRIEF, encoding="utf-8")
    brief = load(Brief, path)
    assert (brief.campaign, brief.brand, brief.intent) == (
        "autumn-knitwear",
        "harrow-and-pine",
        "promotional",
    )
    assert brief.facts == ("Spun in a mill in Hawick", "Six undyed colours")
    assert brief.offer is not None
    assert brief.offer.ends == datetime(2027, 10, 6, 22, 59, tzinfo=UTC)
    assert brief.offer.terms is None
    assert (brief.limits.subject, brief.limits.preview, brief.variants) == (50, 90, 6)
    assert [segment.sensitivity for segment in brief.segments] == ["standard", "high"]
    assert brief.segments[0].merge_tags["first_name"].fallback == "there"
    assert brief.must_avoid == ("cosy",)


def test_a_good_brand_loads(path: Path) -> None:
    path.write_text(BRAND, encoding="utf-8")
    brand = load(Brand, path)
    assert brand.on_voice == ("Here's a hat.",)
    assert brand.preferred == {"jumper": "sweater"}
    assert brand.jurisdictions == ("UK",)


def test_the_packaged_examples_load() -> None:
    folder = data_folder("examples")
    brands = {path.stem: load(Brand, path) for path in folder.glob("brands/*.yaml")}
    briefs = [load(Brief, path) for path in folder.glob("briefs/*.yaml")]
    assert briefs
    for brief in briefs:
        check_brand(brief, brands[brief.brand])


def test_a_brief_survives_the_store(path: Path) -> None:
    path.write_text(BRIEF, encoding="utf-8")
    brief = load(Brief, path)
    assert Brief.model_validate(brief.model_dump(mode="json")) == brief


def test_broken_yaml_names_its_line(path: Path) -> None:
    text = changed("  - Six undyed colours", "  - Six: [undyed")
    error = refusal(path, text)
    assert "broken YAML" in str(error)
    # The bracket is open from line 12 on; the parser meets what can't be on the next one.
    assert ", line 13:" in str(error)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words\n"])
def test_a_file_without_keys_is_refused(path: Path, text: str) -> None:
    assert "must hold keys and values" in str(refusal(path, text))


@pytest.mark.parametrize(
    ("old", "new", "field", "hint"),
    [
        ("cta: Choose", "ctaa: Choose", "ctaa", "'cta'"),
        ("  code: FIRST", "  cod: FIRST", "offer.cod", "'code'"),
        ("    sensitivity: high", "    sensitivty: high", "segments.1.sensitivty", "'sensitivity'"),
        ("must_avoid: [cosy]", "colour: blue", "colour", "Known keys: campaign, brand,"),
    ],
)
def test_an_unknown_key_is_named_with_line_and_hint(
    path: Path, old: str, new: str, field: str, hint: str
) -> None:
    text = changed(old, new)
    error = str(refusal(path, text))
    assert f", line {line_of(text, new)}: {field}: unknown key." in error
    assert hint in error


def test_a_missing_key_is_named(path: Path) -> None:
    error = refusal(path, changed("cta: Choose your colour\n", ""))
    assert "cta: is missing" in str(error)
    assert error.field == "cta"


def test_a_key_that_stands_there_twice_is_named_with_its_line(path: Path) -> None:
    error = str(refusal(path, BRIEF + "cta: Buy now\n"))
    assert f", line {BRIEF.count(chr(10)) + 1}:" in error
    assert "'cta'" in error
    assert "twice" in error


def test_an_empty_fact_list_is_named(path: Path) -> None:
    text = changed("facts:\n  - Spun in a mill in Hawick\n  - Six undyed colours", "facts: []")
    error = refusal(path, text)
    assert f", line {line_of(text, 'facts')}: facts: is empty; write at least one." in str(error)
    assert error.field == "facts"


@pytest.mark.parametrize("fact", ["''", "'   '", "null", "[a, b]", "{a: b}"])
def test_a_fact_that_says_nothing_is_refused(path: Path, fact: str) -> None:
    error = refusal(path, changed("  - Six undyed colours", f"  - {fact}"))
    assert error.field is not None
    assert error.field.startswith("facts.1")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("cta: Choose your colour", "cta: 'Choose, {{ last_name }}'", "cta"),
        ("  - Six undyed colours", "  - 'Six colours for {{last_name}}'", "facts.1"),
        ("15% off the first jumper", "'15% off, {{ last_name | default: \"you\" }}'", "offer.text"),
    ],
)
def test_a_tag_that_a_segment_lacks_is_named(path: Path, old: str, new: str, field: str) -> None:
    error = str(refusal(path, changed(old, new)))
    assert f"{field}: the merge tag {{{{ last_name }}}} is unknown" in error
    assert "'new-subscribers'" in error


@pytest.mark.parametrize("tag", ["{{ FirstName }}", "{{ user.name }}", "{{ first-name }}", "{{ }}"])
def test_a_tag_of_another_make_is_refused(path: Path, tag: str) -> None:
    error = refusal(path, changed("cta: Choose your colour", f"cta: 'Choose, {tag}'"))
    assert "cta" in str(error)
    assert "merge tag" in str(error)


@pytest.mark.parametrize("fallback", ["}}", "{{ last_name }}", "{% raw %}"])
def test_a_fallback_that_would_break_its_tag_is_refused(path: Path, fallback: str) -> None:
    text = changed("{fallback: there, longest: Maximiliana}", f"{{fallback: '{fallback}'}}")
    error = refusal(path, text)
    assert error.field is not None
    assert error.field.startswith("segments.0.merge_tags.first_name")


def test_a_mistake_in_the_only_item_does_not_make_its_list_empty(path: Path) -> None:
    segments = BRIEF[BRIEF.index("segments:") : BRIEF.index("variants: 6")]
    error = str(refusal(path, changed(segments, "segments: [{name: a, describtion: b}]\n")))
    assert "segments.0.describtion: unknown key" in error
    assert "is empty" not in error


def test_a_tag_that_only_one_segment_lacks_is_refused(path: Path) -> None:
    text = changed("    merge_tags: {first_name: {fallback: there}}\n", "")
    text = text.replace("cta: Choose your colour", "cta: 'Choose, {{ first_name }}'")
    assert "'winter-shoppers'" in str(refusal(path, text))


def test_a_tag_that_all_segments_have_is_fine(path: Path) -> None:
    text = changed("cta: Choose your colour", "cta: 'Choose, {{ first_name }}'")
    path.write_text(text, encoding="utf-8")
    assert load(Brief, path).cta == "Choose, {{ first_name }}"


@pytest.mark.parametrize("field", ["subject", "preview"])
def test_a_limit_of_3_characters_is_refused(path: Path, field: str) -> None:
    old = {"subject": "subject: 50", "preview": "preview: 90"}[field]
    text = changed(old, f"{field}: 3")
    error = refusal(path, text)
    assert error.field == f"limits.{field}"
    assert f", line {line_of(text, 'limits')}: limits.{field}: " in str(error)
    assert "greater than or equal to" in str(error)
    assert "not '3'" in str(error)


@pytest.mark.parametrize("variants", ["0", "-1", "51", "many", "2.5"])
def test_a_number_of_variants_out_of_range_is_refused(path: Path, variants: str) -> None:
    assert refusal(path, changed("variants: 6", f"variants: {variants}")).field == "variants"


def test_an_end_without_a_time_zone_is_refused(path: Path) -> None:
    text = changed("23:59:00+01:00", "23:59:00")
    error = refusal(path, text)
    assert error.field == "offer.ends"
    assert f", line {line_of(text, 'ends')}:" in str(error)
    assert "timezone" in str(error)


@pytest.mark.parametrize("ends", ["20271006", "1759791540", "2027-10-06", "tomorrow"])
def test_an_end_that_is_no_full_date_is_refused(path: Path, ends: str) -> None:
    text = changed("2027-10-06T23:59:00+01:00", ends)
    assert refusal(path, text).field == "offer.ends"


@pytest.mark.parametrize("ends", ["9999-12-31T23:59:00-12:00", "0001-01-01T00:00:00+14:00"])
def test_an_end_that_no_clock_reaches_is_refused(path: Path, ends: str) -> None:
    text = changed("2027-10-06T23:59:00+01:00", ends)
    assert refusal(path, text).field == "offer.ends"


def test_two_segments_of_one_name_are_refused(path: Path) -> None:
    error = str(refusal(path, changed("name: winter-shoppers", "name: new-subscribers")))
    assert "'new-subscribers'" in error
    assert "twice" in error


def test_an_alias_bomb_is_refused_at_once(path: Path) -> None:
    lines = ["x0: &x0 [a, a, a, a, a, a, a, a, a, a]"]
    for level in range(1, 9):
        names = ", ".join([f"*x{level - 1}"] * 10)
        lines.append(f"x{level}: &x{level} [{names}]")
    began = time.monotonic()
    error = refusal(path, "\n".join(lines))
    assert "too many values" in str(error)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("text", ["facts: &a [*a]\n", "facts: &a {b: *a}\n"])
def test_a_value_that_holds_itself_is_refused(path: Path, text: str) -> None:
    assert "nested too deep" in str(refusal(path, text))


def test_values_nested_too_deep_are_refused(path: Path) -> None:
    assert "broken YAML" in str(refusal(path, "facts: " + "[" * 5000 + "]" * 5000))


def test_a_file_that_is_not_utf8_is_refused(path: Path) -> None:
    path.write_bytes(BRIEF.replace("Choose", "Wählen").encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"brief\.yaml: not UTF-8"):
        load(Brief, path)


def test_a_file_with_a_byte_order_mark_loads(path: Path) -> None:
    path.write_text(BRIEF, encoding="utf-8-sig")
    assert load(Brief, path).campaign == "autumn-knitwear"


def test_a_file_with_windows_line_ends_loads(path: Path) -> None:
    path.write_bytes(BRIEF.replace("\n", "\r\n").encode())
    assert load(Brief, path).facts == ("Spun in a mill in Hawick", "Six undyed colours")


def test_a_file_of_a_megabyte_is_refused(path: Path) -> None:
    error = refusal(path, BRIEF + "# " + "x" * 1_000_000)
    assert f"larger than {MAX_FILE_BYTES // 1024} KiB" in str(error)


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"brief\.yaml: there is no such file"):
        load(Brief, path)


def test_a_folder_is_no_brief(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="can't be read"):
        load(Brief, tmp_path)


def test_a_raw_control_character_is_refused(path: Path) -> None:
    assert "broken YAML" in str(refusal(path, changed("Choose your", "Choose\x07your")))


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("cta: Choose your colour", r'cta: "Choose\x07 your colour"', "cta"),
        ("  - Six undyed colours", r'  - "Six\x00undyed colours"', "facts.1"),
        ("  code: FIRSTLAYER", r'  code: "FIRST\x07LAYER"', "offer.code"),
        ("longest: Maximiliana", r'longest: "Maxi\x1bmiliana"', "segments.0.merge_tags"),
        ("[cosy]", r'["co\x7fsy"]', "must_avoid.0"),
    ],
)
def test_an_escaped_control_character_is_refused(
    path: Path, old: str, new: str, field: str
) -> None:
    error = refusal(path, changed(old, new))
    assert error.field is not None
    assert error.field.startswith(field)


def test_a_control_character_in_a_voice_is_refused(path: Path) -> None:
    text = BRAND.replace("voice: Warm and plain-spoken.", r'voice: "Warm\x07 and plain."')
    assert refusal(path, text, Brand).field == "voice"


def test_half_a_character_is_refused(path: Path) -> None:
    text = changed("cta: Choose your colour", r'cta: "Choose \ud83d your colour"')
    assert refusal(path, text).field == "cta"


def test_line_breaks_in_a_text_are_folded(path: Path) -> None:
    text = changed(
        "summary: The first lambswool of the season is in.",
        "summary: |\n  The first lambswool\n  of the season.\n  Facts: none",
    )
    path.write_text(text, encoding="utf-8")
    assert load(Brief, path).summary == "The first lambswool of the season. Facts: none"


@pytest.mark.parametrize("code", ["0123", "1e5", "0x1F", "12:30", "yes", "2027-10-06", "1_000"])
def test_a_code_stays_the_text_that_was_written(path: Path, code: str) -> None:
    path.write_text(changed("FIRSTLAYER", code), encoding="utf-8")
    offer = load(Brief, path).offer
    assert offer is not None
    assert offer.code == code


def test_the_language_no_stays_norwegian(path: Path) -> None:
    path.write_text(changed("language: en", "language: no"), encoding="utf-8")
    assert load(Brief, path).language == "no"


def test_a_fact_like_a_truth_value_stays_text(path: Path) -> None:
    path.write_text(changed("Six undyed colours", "on"), encoding="utf-8")
    assert load(Brief, path).facts[1] == "on"


def test_several_mistakes_are_told_at_once(path: Path) -> None:
    text = changed("language: en", "language: English").replace("variants: 6", "variants: 0")
    error = str(refusal(path, text))
    assert "language" in error
    assert "variants" in error


def test_a_brief_of_another_brand_is_refused(path: Path) -> None:
    path.write_text(BRIEF, encoding="utf-8")
    brief = load(Brief, path)
    path.write_text(BRAND.replace("slug: harrow-and-pine", "slug: carrow-point"), encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"harrow-and-pine.*carrow-point") as caught:
        check_brand(brief, load(Brand, path))
    assert caught.value.field == "brand"


@pytest.mark.parametrize("jurisdictions", ["[]", "[uk]", "[United Kingdom]"])
def test_a_jurisdiction_that_no_pack_could_match_is_refused(path: Path, jurisdictions: str) -> None:
    text = BRAND.replace("[UK]", jurisdictions)
    error = refusal(path, text, Brand)
    assert error.field is not None
    assert error.field.startswith("jurisdictions")
