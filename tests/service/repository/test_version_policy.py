import pytest

from service.repository.version_policy import LATEST, Policy, Rule, parse_policy


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("latest", LATEST),
        ("latest:2", Policy(Rule(2))),
        (" all ", Policy(Rule(None))),
        ("3, 1", Policy(Rule(None, frozenset({1, 3})))),
        ("digits=all", Policy(Rule(1), {"digits": Rule(None)})),
        (
            "latest; digits = all;co2=1,3",
            Policy(Rule(1), {"digits": Rule(None), "co2": Rule(None, frozenset({1, 3}))}),
        ),
        ("a=b=latest : 2", Policy(Rule(1), {"a=b": Rule(2)})),
    ],
)
def test_a_policy_is_read(text: str, wanted: Policy) -> None:
    assert parse_policy(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is not a version policy: it takes latest, latest:N, all"),
        ("latest;", "'' is not a version policy"),
        ("newest", "'newest' is not a version policy"),
        ("latest:0", "'latest:0' is not a version policy"),
        ("1,two", "'1,two' is not a version policy"),
        ("1,-2", "'1,-2' is not a version policy"),
        ("digits=", "'' is not a version policy"),
        ("=all", "'=all' has no model name before the ="),
        ("all;latest", "two rules for all models"),
        ("digits=1;digits=2", "two rules for model 'digits'"),
        ("9" * 5000, "is not a version policy"),
    ],
)
def test_invalid_policy_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_policy(text)


def test_a_rule_selects_the_newest_first() -> None:
    found = [2, 10, 1]
    selected = {text: parse_policy(text).default.selected(found) for text in ("latest:2", "all")}
    assert selected == {"latest:2": [10, 2], "all": [10, 2, 1]}
    assert parse_policy("1,3").default.selected(found) == [1]
    assert [str(parse_policy(text).default) for text in ("latest", "latest:2", "all", "3,1")] == [
        "latest",
        "latest:2",
        "all",
        "1,3",
    ]
