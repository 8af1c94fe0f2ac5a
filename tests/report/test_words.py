import pytest

from runopsy.report.words import duration, number, percent, place


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (1.0, "1"), (12345.0, "12,345"), (0.123456, "0.1235"), (1.5e-7, "1.5e-7"), (3e9, "3e+9"),
     (float("nan"), "NaN"), (float("-inf"), "-inf")],
)  # fmt: skip
def test_numbers_carry_four_digits(value, said):
    assert number(value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(0, "0"), (1410.0, "1,410"), (2.5, "2.50"), (0.125, "0.125"), (12345.678, "12,346")]
)
def test_places_are_whole_steps_where_they_can_be(value, said):
    assert place(value) == said


@pytest.mark.parametrize(("value", "said"), [(3, "3.0 s"), (90, "1.5 min"), (7200, "2.0 h"), (172800, "2.0 d")])
def test_durations_use_the_largest_fitting_unit(value, said):
    assert duration(value) == said


@pytest.mark.parametrize(("value", "said"), [(0.052, "5.2 %"), (0.5, "50 %"), (0.0, "0.0 %")])
def test_percentages_keep_a_digit_where_they_are_small(value, said):
    assert percent(value) == said
