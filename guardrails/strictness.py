"""Whether a policy of a brand's own is at least as strict as the one it stands over."""

from collections.abc import Iterator, Mapping

from guardrails.errors import PolicyError
from guardrails.policy import ALL, CheckPolicy, Policy
from guardrails.types import Adjustable, Brand, Check, Option

Checks = Mapping[str, Check]
"""The checks of a policy, by name."""


def hold(own: Policy, own_checks: Checks, base: Policy, base_checks: Checks, brand: Brand) -> None:
    """Hold the policy `own` of `brand` to `base`.

    Raises:
        PolicyError: it is laxer: a check or a rule pack is left out, a check is demanded no more, a
            severity is lower, an option is on its lax side, or exceptions may cover more. The
            message names the first such key, what the base has, and the fix.
    """
    for file, content in base.packs.items():
        if content not in own.packs.values():
            raise PolicyError(
                f"Policy {own.path or own.file.name}: own_packs: {file} is left out, and "
                f"{base.file.name!r} has it: put it in."
            )
    for name, entry in base.file.checks.items():
        for key, wrong, fix in _laxer(name, own, entry, own_checks, base_checks, brand):
            # Whichever file it stands in, the brand's own is where it can be mended.
            raise PolicyError(
                f"Policy {own.path or own.file.name}: checks.{name}{key}: {wrong}. The policy of a "
                f"brand may only be stricter than {base.file.name!r}: {fix}."
            )


def _laxer(
    name: str,
    own: Policy,
    base: CheckPolicy,
    own_checks: Checks,
    base_checks: Checks,
    brand: Brand,
) -> Iterator[tuple[str, str, str]]:
    """What is laxer in the check `name`: the key, what is wrong with it, and the fix."""
    mine = own.file.checks.get(name)
    if mine is None:
        yield "", "it is left out, and the base has it", "put it back"
        return
    if base.demanded and not mine.demanded:
        yield ".demanded", "it is false, and true in the base", "set it to true"
    for rule, severity in mine.severities.items():
        if severity == "review" and base.severities.get(rule) != "review":
            given = base.severities.get(rule, "the check's own severity")
            yield f".severities.{rule}", f"it is review, and in the base {given}", "take it out"
    for rule, severity in base.severities.items():
        if severity == "block" and rule not in mine.severities:
            yield f".severities.{rule}", "it is left out, and block in the base", "set it to block"
    more = [rule for rule in mine.exceptions if not {rule, ALL} & set(base.exceptions)]
    if more:
        allowed = ", ".join(base.exceptions) or "none"
        yield ".exceptions", f"{more[0]!r} is not in the base ({allowed})", "take it out"
    ours, theirs = own_checks.get(name), base_checks.get(name)
    if ours is theirs or not isinstance(ours, Adjustable) or not isinstance(theirs, Adjustable):
        return
    options = ours.options(brand)
    for option, value in theirs.options(brand).items():
        wrong = _compared(options[option], value)
        if wrong:
            yield f".options.{option}", *wrong


def _compared(own: Option, base: Option) -> tuple[str, str] | None:
    """What is wrong with an option and the fix, where it is laxer than the base's."""
    mine, theirs = own.value, base.value
    if isinstance(mine, frozenset) and isinstance(theirs, frozenset):
        if gone := ", ".join(sorted(theirs - mine)):
            return f"{gone} is left out, and holds for the brand", "put it in"
    elif not isinstance(mine, frozenset) and not isinstance(theirs, frozenset):
        wrong = f"it is {mine:g}, and {theirs:g} in the base"
        if own.laxer == "higher" and mine > theirs:
            return wrong, f"set it to {theirs:g} or lower"
        if own.laxer == "lower" and mine < theirs:
            return wrong, f"set it to {theirs:g} or higher"
    return None
