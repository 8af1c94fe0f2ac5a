"""The section of one run's report."""

import planted
import runopsy
from conftest import ROOT
from runopsy.report.document import Prose, Table
from runopsy.study.late_gain import section


def test_grokking_would_have_been_missed():
    heading, answer, table, best = section(runopsy.analyze(planted.grokking()))
    assert heading.text == "Would a stopping rule have missed a late gain?"
    assert answer.text.startswith("Yes: ")
    assert isinstance(table, Table)
    assert len(table.rows) == 5
    assert isinstance(best, Prose)


def test_overfitting_has_no_late_gain():
    (_, answer, table, _) = section(runopsy.analyze(planted.overfitting()))
    assert answer.text.startswith("No: ")
    assert all(row[-1] == "kept" for row in table.rows)


def test_a_log_without_validation_has_no_such_section():
    assert section(runopsy.analyze(planted.run(range(50), {"train/loss": [3.0] * 25 + [2.0] * 25}))) == ()


def test_the_page_of_a_sample_has_it_where_stopping_is_spoken_of():
    autopsy = runopsy.analyze(ROOT / "sample_logs" / "grokking")
    page = runopsy.render(autopsy, "markdown", further=section(autopsy))
    assert page.index("best to stop") < page.index("missed a late gain") < page.index("What to try next")
