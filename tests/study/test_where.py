"""Conditions are read by a grammar: against Python's own evaluation of the same words, and what is no condition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import BadOption
from runopsy.study.where import parse

NAMES = {
    "lr": "lr",
    "wd": "wd",
    "verdict": "verdict",
    "optimizer.name": "optimizer.name",
    "val/loss best": "val/loss best",
}


def holds(text, **line):
    return parse(text, NAMES)({key.replace("__", "."): value for key, value in line.items()})


leaf = st.tuples(st.sampled_from(["lr", "wd"]), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.integers(-3, 3))
tree = st.recursive(
    leaf.map(lambda c: f"{c[0]} {c[1]} {c[2]}"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"not ({t})"),
        st.tuples(inner, inner, inner).map(lambda t: f"{t[0]} or {t[1]} and {t[2]}"),
    ),
    max_leaves=6,
)


@given(tree, st.integers(-3, 3), st.integers(-3, 3))
def test_conditions_mean_what_they_mean_in_python(text, lr, wd):
    assert holds(text, lr=lr, wd=wd) == eval(text, {"lr": lr, "wd": wd})


@pytest.mark.parametrize(
    ("text", "line", "answer"),
    [
        ("lr > 1e-3", {"lr": 0.01}, True),
        ("lr > 1e-3", {"lr": None}, False),
        ("lr != 1", {"lr": None}, True),
        ("lr > 1e-3", {"lr": "auto"}, False),
        ("lr = auto", {"lr": "auto"}, True),
        ("verdict = grokked and not lr < 1", {"verdict": "grokked", "lr": 2}, True),
        ("verdict ~ 'grok'", {"verdict": "grokked"}, True),
        ("VERDICT = 1", {}, None),
        ("optimizer.name = 'Adam W'", {"optimizer__name": "Adam W"}, True),
        ("`val/loss best` < 2", {"val/loss best": 1.0}, True),
        ("lr=0.1", {"lr": 0.1}, True),
        ("wd = true", {"wd": True}, True),
    ],
)
def test_names_values_and_what_is_not_there(text, line, answer):
    if answer is None:
        with pytest.raises(BadOption, match="no run has"):
            holds(text, **line)
    else:
        assert holds(text, **line) is answer


@pytest.mark.parametrize(
    "text",
    ["", "lr", "lr >", "> 3", "lr > 3 and", "(lr > 3", "lr > 3)", "lr > 3 lr", "lr @ 3", "__import__('os')", "lr > 'a",
     "(" * 100 + "lr > 1" + ")" * 100, "not " * 100 + "lr > 1"],
)  # fmt: skip
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(BadOption):
        parse(text, NAMES)
