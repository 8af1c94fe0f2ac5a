import pytest

from runopsy.report.words import duration, number, odds, percent, place, span, visible


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (1.0, "1"), (12345.0, "12,345"), (0.123456, "0.1235"), (1.5e-7, "1.5e-7"), (3e9, "3e+9"),
     (float("nan"), "NaN"), (float("-inf"), "-inf")],
)  # fmt: skip
def test_numbers_carry_four_digits(value, shown):
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (1410.0, "1,410"), (2.5, "2.50"), (0.125, "0.125"), (12345.678, "12,346")]
)
def test_places_are_whole_steps_where_they_can_be(value, shown):
    assert place(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(3, "3.0 s"), (90, "1.5 min"), (7200, "2.0 h"), (172800, "2.0 d")])
def test_durations_use_the_largest_fitting_unit(value, shown):
    assert duration(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.052, "5.2 %"), (0.5, "50 %"), (0.0, "0.0 %")])
def test_percentages_keep_a_digit_where_they_are_small(value, shown):
    assert percent(value) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.99, (99, 100)), (0.96, (19, 20)), (0.92, (9, 10)), (0.85, (8, 10)), (0.6, (6, 10)), (0.0, (1, 10))],
)
def test_confidence_is_written_as_people_put_it_and_never_as_certain(share, shown):
    assert odds(share) == shown
    assert odds(1.0) == (99, 100)


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [(6.4, 28.2, "6 – 28"), (1219.0, 1577.0, "1,219 – 1,577"), (2.531, 2.712, "2.53 – 2.71"), (5.6, 10.8, "5.6 – 10.8"),
     (3.0, 3.0, "3 – 3")],
)  # fmt: skip
def test_an_interval_is_written_as_finely_as_it_is_wide(low, high, shown):
    assert span(low, high) == shown


def test_foreign_text_is_one_line_without_controls_and_bounded():
    assert visible("a\nb\tc") == "a b c"
    assert visible("\x1b[31m\u202e\ud800\u2028") == "<U+001B>[31m<U+202E><U+D800><U+2028>"
    assert visible("日本語 émoji 🙂 α²") == "日本語 émoji 🙂 α²"
    assert len(visible("x" * 10_000)) == 1000
