"""The version policy: which versions of a model are served.

    policy = item { ";" item }
    item   = [ name "=" ] rule         without a name: for every model that has no item
    rule   = "latest" [ ":" N ]        the N newest that load, by default one
           | "all"
           | number { "," number }     these and no others

`latest; digits=all; co2=1,3` serves all versions of `digits`, two of `co2`, and the
newest of each other model. Spaces are ignored.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_FORMS = "latest, latest:N, all, or version numbers such as 1,3"


@dataclass(frozen=True)
class Rule:
    """Which versions of one model are served.

    Attributes:
        newest: number of newest versions that load; None: all.
        numbers: restrict the rule to these versions; None: any.
    """

    newest: int | None = 1
    numbers: frozenset[int] | None = None

    def candidates(self, numbers: Iterable[int]) -> list[int]:
        """Those of `numbers` that may be served, in the order to try them."""
        found = set(numbers) if self.numbers is None else self.numbers.intersection(numbers)
        return sorted(found, reverse=True)

    def selected(self, numbers: Iterable[int]) -> list[int]:
        """Those that are served if all load, the newest first."""
        return self.candidates(numbers)[: self.newest]

    def __str__(self) -> str:
        if self.numbers is not None:
            return ",".join(map(str, sorted(self.numbers)))
        if self.newest is None:
            return "all"
        return "latest" if self.newest == 1 else f"latest:{self.newest}"


@dataclass(frozen=True)
class Policy:
    """Which versions of which model are served.

    Attributes:
        default: for a model that is not named.
        models: rules by model name.
    """

    default: Rule = Rule()
    models: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, name: str) -> Rule:
        """The rule for a model."""
        return self.models.get(name, self.default)


#: The newest version of each model that loads.
LATEST = Policy()


def parse_policy(text: str) -> Policy:
    """Read a policy in the form above.

    Raises:
        ValueError: with the invalid part and the valid forms.
    """
    rules: dict[str, Rule] = {}
    for item in text.split(";"):
        # A rule contains no "=", but a model's name may.
        name, _, rule = item.rpartition("=")
        name = name.strip()
        if "=" in item and not name:
            raise ValueError(f"{item.strip()!r} has no model name before the =")
        read = _rule(rule.strip())
        if name in rules:
            raise ValueError(f"it has two rules for {f'model {name!r}' if name else 'all models'}")
        rules[name] = read
    default = rules.pop("", Rule())
    return Policy(default, MappingProxyType(rules))


def _rule(text: str) -> Rule:
    if text == "all":
        return Rule(newest=None)
    if text == "latest":
        return Rule()
    found = re.fullmatch(r"latest\s*:\s*([0-9]{1,9})", text)
    if found and int(found[1]) > 0:
        return Rule(int(found[1]))
    if re.fullmatch(r"[0-9]{1,18}(\s*,\s*[0-9]{1,18})*", text):
        return Rule(None, frozenset(map(int, text.split(","))))
    raise ValueError(f"{text!r} is not a version policy: it takes {_FORMS}")
