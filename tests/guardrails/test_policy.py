"""Policies: what they take over, how strict a brand's own must be, and what is wrong with them."""

import inspect
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import guardrails.learned.heads
from guardrails import Brand, Guardrails, Item, Policy, PolicyError
from guardrails.checks import CHECKS
from guardrails.checks.legal import Legal
from guardrails.types import Adjustable, Finding, Result

BRAND = Brand(
    slug="harrow-and-pine", jurisdictions=["UK"], off_voice=["OMG!!!"], on_voice=["Wool."]
)


class Fake:
    """A check that finds, or fails, as it is told."""

    name = "fake"
    rules = frozenset({"rule"})

    def __init__(self, *results: Result) -> None:
        self._results = results

    def run(self, items: Any) -> list[Result]:
        return [*self._results]


class Crash(Fake):
    """A check that crashes."""

    def run(self, items: Any) -> list[Result]:
        raise ValueError


def write(folder: Path, name: str = "mine.yaml", **keys: Any) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump({"name": "mine", "version": 1} | keys, sort_keys=False))
    return path


def load(folder: Path, **keys: Any) -> Policy:
    return Policy.load(write(folder, **keys))


@pytest.fixture(scope="module")
def base() -> Guardrails:
    """The packaged policy."""
    return Guardrails()


def test_a_policy_takes_over_what_it_does_not_say_itself(tmp_path: Path) -> None:
    mine = load(tmp_path, extends="default", checks={"legal": {"demanded": True}})
    default = Policy.load()
    assert list(mine.file.checks) == list(default.file.checks)
    assert mine.file.checks["legal"].demanded
    assert mine.file.checks["profanity"] == default.file.checks["profanity"]
    assert (mine.file.name, mine.file.version) == ("mine", 1)


def test_options_and_severities_are_taken_over_one_by_one(tmp_path: Path) -> None:
    first = {"options": {"block": 0.9, "review": 0.5}, "severities": {"mismatch": "block"}}
    second = {"options": {"review": 0.4}, "severities": {"phishing": "block"}}
    write(tmp_path, "house.yaml", timeout_s=5, checks={"intent": first})
    mine = load(tmp_path, extends="house.yaml", checks={"intent": second})
    entry = mine.file.checks["intent"]
    assert entry.options == {"block": 0.9, "review": 0.4}
    assert entry.severities == {"mismatch": "block", "phishing": "block"}
    assert mine.file.timeout_s == 5


def test_a_check_can_be_left_out_of_what_is_taken_over(tmp_path: Path) -> None:
    mine = load(tmp_path, extends="default", without=["brand_voice"])
    assert set(mine.file.checks) == set(CHECKS) - {"brand_voice"}


def test_the_hash_follows_what_a_policy_extends(tmp_path: Path) -> None:
    path = write(tmp_path, extends="house.yaml")
    hashes = []
    for threshold in (0.4, 0.4, 0.5):
        entry = {"options": {"threshold": threshold}}
        write(tmp_path, "house.yaml", checks={"brand_voice": entry})
        hashes.append(Policy.load(path).sha256)
    assert hashes[0] == hashes[1] != hashes[2]


def test_a_policy_sets_the_severity_of_a_rule(tmp_path: Path) -> None:
    mine = load(tmp_path, checks={"profanity": {"severities": {"mild": "block"}}})
    (report,) = Guardrails(mine).check([Item("A damn good coat")])
    assert [(each.rule, each.severity) for each in report.findings] == [("mild", "block")]
    assert report.verdict == "block"


PACK = {
    "name": "house",
    "about": "Rules of the house.",
    "rules": [
        {
            "id": "no-moon",
            "kind": "block",
            "patterns": ["to the moon"],
            "jurisdictions": ["all"],
            "sectors": ["all"],
            "source": "House rule 1",
            "why": "Nobody may promise the moon.",
            "pass": ["Moonlight"],
            "fail": ["To the moon"],
        }
    ],
}


def pack(folder: Path, *patterns: str) -> str:
    """A rule pack of one rule in `folder`; its file's name."""
    rule = PACK["rules"][0] | {"patterns": patterns or ["to the moon"]}  # type: ignore[operator]
    (folder / "house-rules.yaml").write_text(json.dumps(PACK | {"rules": [rule]}))
    return "house-rules.yaml"


def test_a_policy_brings_rules_of_its_own(tmp_path: Path) -> None:
    mine = load(tmp_path, extends="default", own_packs=[pack(tmp_path)])
    (report,) = Guardrails(mine).check([Item("To the moon")])
    assert ("no-moon", "block") in {(each.rule, each.severity) for each in report.findings}
    assert mine.sha256 != Policy.load().sha256
    pack(tmp_path, "to the stars")
    assert Policy.load(Path(mine.path)).sha256 != mine.sha256


def test_a_pack_of_ones_own_hides_no_sector(tmp_path: Path) -> None:
    name = pack(tmp_path)
    content = json.loads((tmp_path / name).read_text())
    aliases = ["harrow investment platform"]
    (tmp_path / name).write_text(json.dumps(content | {"sectors": {"plain goods": aliases}}))
    mine = Guardrails(load(tmp_path, extends="default", own_packs=[name]))
    brand = Brand(sector="harrow investment platform", jurisdictions=["UK"])
    item = Item("Guaranteed 12% returns", brand=brand)
    for each in (Guardrails(), mine):
        (report,) = each.check([item])
        assert "guaranteed-return" in {finding.rule for finding in report.findings}


def test_a_bad_pattern_is_told_with_its_policy_pack_rule_and_key(tmp_path: Path) -> None:
    mine = load(tmp_path, extends="default", own_packs=[pack(tmp_path, "(moon")])
    with pytest.raises(PolicyError) as caught:
        Guardrails(mine)
    for named in ("mine.yaml: own_packs", "house-rules.yaml", "rule no-moon: patterns"):
        assert named in str(caught.value)


def test_a_pack_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"mine\.yaml: own_packs: .*none\.yaml can't be read"):
        load(tmp_path, own_packs=["none.yaml"])


def test_a_brand_can_not_leave_out_the_rules_of_the_house(tmp_path: Path) -> None:
    house = Guardrails(load(tmp_path, extends="default", own_packs=[pack(tmp_path)]))
    write(tmp_path, "house.yaml", extends="default", own_packs=["house-rules.yaml"])
    with pytest.raises(PolicyError, match=r"mine\.yaml: own_packs: .*is left out.*put it in"):
        house.under(load(tmp_path, extends="default"), BRAND)
    packs = {"legal": {"options": {"packs": UK}}}
    with pytest.raises(PolicyError, match=r"checks\.legal\.options\.packs: .*house.* is left out"):
        house.under(load(tmp_path, extends="house.yaml", checks=packs), BRAND)
    (report,) = house.under(load(tmp_path, extends="house.yaml"), BRAND).check(
        [Item("To the moon")]
    )
    assert report.verdict == "block"


def test_the_policy_of_the_readme_can_be_used(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(name: .*?)```", readme, re.DOTALL)
    pack(tmp_path)
    (tmp_path / "house.yaml").write_text(example)
    house = Guardrails(Policy.load(tmp_path / "house.yaml"))
    assert "brand_voice" not in house.policy.file.checks
    assert house.policy.file.checks["legal"].exceptions == ["prize"]


def test_every_option_is_in_the_readme(base: Guardrails) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for check in base._checks:
        for option in check.options(BRAND) if isinstance(check, Adjustable) else ():
            assert re.search(rf"\| `{check.name}` \| .*`{option}`", readme), option


def extending(name: str, other: str, folder: Path) -> Path:
    write(folder, other, extends=name)
    return write(folder, name, extends=other)


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"checks": {"grammar": {}}}, r"mine\.yaml: checks\.grammar is unknown. Known: .*legal"),
        (
            {"checks": {"format": {"options": {"colour": 1}}}},
            r"mine\.yaml: checks\.format\.options\.colour is unknown. Known: max_preview, max_sub",
        ),
        (
            {"checks": {"phrases": {"options": {"colour": 1}}}},
            r"mine\.yaml: checks\.phrases\.options\.colour is unknown. Known: none",
        ),
        (
            {"checks": {"profanity": {"severities": {"milde": "block"}}}},
            r"mine\.yaml: checks\.profanity\.severities: 'milde' is no rule.*Known: .*mild",
        ),
        (
            {"checks": {"legal": {"exceptions": ["prizes"]}}},
            r"mine\.yaml: checks\.legal\.exceptions: 'prizes' is no rule",
        ),
        (
            {"checks": {"legal": {"severities": {"prize": "no"}}}},
            r"checks\.legal\.severities\.prize",
        ),
        (
            {"checks": {"legal": {"options": {"packs": ["moon"]}}}},
            r"mine\.yaml: checks\.legal\.options: packs: 'moon' is unknown",
        ),
        (
            {"checks": {"legal": {"options": {"packs": "claims"}}}},
            r"mine\.yaml: checks\.legal\.options\.packs: it is 'claims'; write a list",
        ),
        (
            {"checks": {"intent": {"options": {"block": "high"}}}},
            r"mine\.yaml: checks\.intent\.options\.block: it is 'high'; write a number from 0 to 1",
        ),
        (
            {"checks": {"brand_voice": {"options": {"threshold": 40}}}},
            r"mine\.yaml: checks\.brand_voice\.options\.threshold: it is 40; write .* 0 to 1",
        ),
        ({"extends": "none.yaml"}, r"mine\.yaml: extends: there is no .*none\.yaml"),
        ({"extends": "default", "without": ["grammar"]}, r"mine\.yaml: without\.0: 'grammar'"),
        ({"without": ["legal"]}, r"mine\.yaml: without\.0: 'legal'.*it extends none"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_key(
    tmp_path: Path, keys: Mapping[str, Any], named: str
) -> None:
    with pytest.raises(PolicyError, match=named):
        Guardrails(load(tmp_path, **keys))


def test_a_mistake_is_told_with_the_file_that_it_is_in(tmp_path: Path) -> None:
    write(tmp_path, "house.yaml", checks={"format": {"options": {"colour": 1}}})
    mine = load(tmp_path, extends="house.yaml", checks={"format": {"options": {"max_subject": 40}}})
    with pytest.raises(PolicyError, match=r"house\.yaml: checks\.format\.options\.colour"):
        Guardrails(mine)


def test_policies_that_extend_each_other_are_told(tmp_path: Path) -> None:
    for path in (
        extending("a.yaml", "b.yaml", tmp_path),
        write(tmp_path, "c.yaml", extends="c.yaml"),
    ):
        with pytest.raises(PolicyError, match=r"[bc]\.yaml: extends: .* in its turn.*circle"):
            Policy.load(path)


def test_a_key_that_stands_there_twice_is_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\nversion: 1\nchecks:\n  legal: {demanded: true}\n  legal: {}\n")
    with pytest.raises(PolicyError, match=r"mine\.yaml: .*'legal' stands there twice"):
        Policy.load(path)


def test_a_missing_head_is_told_with_its_file_and_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        guardrails.learned.heads.Head.load.__func__,
        "__defaults__",
        (tmp_path,),  # type: ignore[attr-defined]
    )
    mine = load(tmp_path, checks={"intent": {}})
    with pytest.raises(PolicyError, match=r"mine\.yaml: checks\.intent: .*intent\.safetensors"):
        Guardrails(mine)


def intent(**options: float) -> dict[str, Any]:
    return {"intent": {"options": options}}


UK = ["general", "general-uk", "claims", "reader", "services"]


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (
            {"without": ["legal"]},
            r"checks\.legal: it is left out, and the base has it.*put it back",
        ),
        (
            {"checks": {"legal": {"severities": {"prize": "review"}}}},
            r"checks\.legal\.severities\.prize: it is review, .*own severity.*take it out",
        ),
        (
            {"checks": intent(block=1.0)},
            r"checks\.intent\.options\.block: it is 1, and 0\.\d+ in the base.*0\.\d+ or lower",
        ),
        ({"checks": intent(mismatch=1.0)}, r"checks\.intent\.options\.mismatch"),
        (
            {"checks": {"brand_voice": {"options": {"threshold": 0.001}}}},
            r"checks\.brand_voice\.options\.threshold: it is 0\.001, and 0\.\d+ in .* or higher",
        ),
        (
            {"checks": {"format": {"options": {"max_subject": 60}}}},
            r"checks\.format\.options\.max_subject: it is 60, and 50 in the base.* 50 or lower",
        ),
        (
            {"checks": {"legal": {"options": {"packs": UK}}}},
            r"checks\.legal\.options\.packs: .*credit.* is left out, .*put it in",
        ),
        (
            {"checks": {"legal": {"exceptions": ["prize"]}}},
            r"checks\.legal\.exceptions: 'prize' is not in the base \(none\).*take it out",
        ),
        (
            {"checks": {"legal": {"exceptions": ["all"]}}},
            r"checks\.legal\.exceptions: 'all' is not in the base",
        ),
    ],
)
def test_a_brand_with_a_laxer_policy_is_refused(
    tmp_path: Path, base: Guardrails, keys: Mapping[str, Any], named: str
) -> None:
    mine = load(tmp_path, extends="default", **keys)
    with pytest.raises(PolicyError, match=rf"mine\.yaml: {named}") as caught:
        base.under(mine, BRAND)
    assert "'default'" in str(caught.value)


def test_a_brand_can_not_undo_what_a_house_policy_demands(tmp_path: Path) -> None:
    entry = {"demanded": True, "severities": {"mild": "block"}}
    house = load(tmp_path, checks={"profanity": entry})
    mine = load(tmp_path, checks={"profanity": {"severities": {"mild": "block"}}})
    with pytest.raises(PolicyError, match=r"checks\.profanity\.demanded: .*set it to true"):
        Guardrails(house).under(mine, BRAND)
    mine = load(tmp_path, checks={"profanity": {"demanded": True}})
    with pytest.raises(PolicyError, match=r"profanity\.severities\.mild: .*set it to block"):
        Guardrails(house).under(mine, BRAND)


def test_a_brand_can_be_stricter(tmp_path: Path, base: Guardrails) -> None:
    (legal,) = (each for each in base._checks if isinstance(each, Legal))
    held = {rule.pack for rule in legal._library.rules} - {"general-us"}
    checks = intent(block=0.3, review=0.1) | {
        "format": {"demanded": True, "options": {"max_subject": 40}},
        "profanity": {"severities": {"mild": "block"}, "exceptions": []},
        "legal": {"options": {"packs": sorted(held)}},
        "brand_voice": {"options": {"threshold": 0.99}},
    }
    mine = base.under(load(tmp_path, extends="default", checks=checks), BRAND)
    items = [Item("A damn good coat", brand=BRAND), Item("x" * 45, brand=BRAND)]
    stricter, before = mine.check(items), base.check(items)
    assert [each.verdict for each in before] == ["review", "review"]
    assert stricter[0].verdict == "block"
    assert "too_long" in {each.rule for each in stricter[1].findings}
    assert stricter[0].policy_hash != before[0].policy_hash


def test_each_check_declares_the_lax_side_of_all_its_options(base: Guardrails) -> None:
    for check in base._checks:
        taken = set(inspect.signature(type(check)).parameters) - {"embedder", "own"}
        declared = set(check.options(BRAND)) if isinstance(check, Adjustable) else set()
        assert declared == taken, check.name


def test_a_report_names_all_checks_of_its_policy_and_their_outcomes(base: Guardrails) -> None:
    (report,) = base.check([Item("The wool is in")])
    assert list(report.outcomes) == ["text", *base.policy.file.checks]
    assert set(report.outcomes.values()) <= {"passed", "found", "not_applicable"}
    assert report.demanded == ("text",)


DEMANDED = {"fake": {"demanded": True}}


@pytest.mark.parametrize(
    "checks", [[], [Fake(Result.not_applicable())], [Crash()], [Fake()]],
    ids=["missing", "not applicable", "crashed", "no answer"],
)  # fmt: skip
def test_a_demanded_check_without_a_judgement_blocks(tmp_path: Path, checks: list[Fake]) -> None:
    (report,) = Guardrails(load(tmp_path, checks=DEMANDED), checks).check([Item("Wool")])
    assert report.outcomes == {"text": "passed", "fake": "not_run"}
    assert report.demanded == ("text", "fake")
    assert report.verdict == "block"


def test_a_demanded_check_that_judged_does_not_block(tmp_path: Path) -> None:
    finding = Finding("fake", "rule", "review", "subject", 0, 1, "Why.")
    checks = [Fake(Result([finding]))]
    (report,) = Guardrails(load(tmp_path, checks=DEMANDED), checks).check([Item("Wool")])
    assert (report.outcomes["fake"], report.verdict) == ("found", "review")
