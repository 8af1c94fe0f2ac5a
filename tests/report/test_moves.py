import pytest

from runopsy.report.document import Moves, Scale
from runopsy.report.moves import DOWN, NAME, UP, lines, table

BLOCK = Moves(Scale(0, 1000, False, 1.0, "step"), (100, 990), (("grad/norm", (1, -1)), ("a" * 90, (0, 1))))


@pytest.mark.parametrize("width", [40, 96, 200])
def test_marks_stand_at_their_places_and_no_line_is_wider_than_the_screen(width):
    first, second, ticks = lines(BLOCK, width)
    assert max(map(len, (first, second, ticks))) <= width
    across = width - NAME - 2
    assert first[NAME + 2 :].index(UP) == pytest.approx(0.1 * across, abs=2)
    assert first[NAME + 2 :].index(DOWN) == pytest.approx(0.99 * across, abs=2)
    assert second.count(UP) == 1
    assert "100" in ticks
    assert ticks.endswith("990")


def test_a_page_has_a_column_for_each_change():
    found = table(BLOCK)
    assert found.columns == ("signal", "step 100", "step 990")
    assert found.rows[0] == ("grad/norm", UP, DOWN)
    assert found.rows[1][1:] == ("", UP)
