"""The table of docs/coverage.md holds: estimators are judged again, by the steps of a build; all with `--full`."""

from __future__ import annotations

import pytest

from benchmarks._estimators import names
from benchmarks.coverage import DIFFERS, EQUAL, FAILS, PAGE, REFUSED, judge, verdicts_of
from tests.tiers import third

GOAL = 172
DOCUMENTED = verdicts_of(PAGE.read_text("utf-8"))


def test_the_page_lists_every_estimator() -> None:
    assert list(DOCUMENTED) == list(names())


def test_the_page_tells_of_no_wrong_number_and_of_enough_right_ones() -> None:
    verdicts = list(DOCUMENTED.values())
    assert set(verdicts) <= {EQUAL, REFUSED} and DIFFERS not in verdicts and FAILS not in verdicts
    assert verdicts.count(EQUAL) >= GOAL


@pytest.mark.parametrize("name", third(names()))
def test_it_is_as_the_page_says(name: str) -> None:
    judged = judge(name, bare=False)
    assert judged.verdict == DOCUMENTED[name], judged.reason or "equal now: write the page anew"
    assert judged.verdict == EQUAL or len(judged.reason) > 20
