"""The pictures as rows of cells: what stands where, at every size, with and without colour."""

import itertools
import re
from typing import Any

import pytest
from rich.cells import cell_len
from textual.color import Color
from textual.strip import Strip

from trainer.picture_file import Pictures
from tui.boundary_panel import BoundaryPanel
from tui.cell_grid import CellGrid, Palette, fitted
from tui.confusion_panel import ConfusionPanel
from tui.picture import Picture
from tui.picture_words import headline
from tui.scatter_panel import ScatterPanel
from tui.worst_panel import WorstPanel

COLOURS = [Color.parse(word) for word in ("#4488dd", "#ffbb66", "#33aa55")]
PALETTE = Palette(*map(Color.parse, ("#101010", "#e0e0e0", "#888888", "#22aa22", "#cc2222", "#4488dd")), tuple(COLOURS))
BASE: dict[str, Any] = {
    "time": 1.0, "epoch": 3, "step": 12, "split": "validation", "examples": 100, "of": 100, "image_shape": None,
}  # fmt: skip
PANELS: list[type[Picture]] = [ConfusionPanel, WorstPanel, ScatterPanel, BoundaryPanel]
SIZES = [(1, 1), (3, 9), (9, 3), (12, 5), (30, 7), (78, 17), (112, 36), (300, 80)]


def without_colour(palette: Palette) -> Palette:
    return Palette(
        palette.background, palette.text, palette.muted, palette.right, palette.wrong, palette.accent, palette.classes,
        in_colour=False,
    )  # fmt: skip


def classes(n: int = 3, **more: Any) -> Pictures:
    matrix = [[20 if i == j else (i + j) % 3 for j in range(n)] for i in range(n)]
    pairs = [{"true": 1, "predicted": 0, "count": 7}, {"true": 0, "predicted": 2, "count": 2}]
    names = [f"class {index}" for index in range(n)]
    told = {"task": "classification", "confusion": matrix, "confused": pairs, "target_names": names, "worst": [worst()]}
    return Pictures.model_validate({**BASE, **told, **more})


def worst(**more: Any) -> dict[str, Any]:
    features = [{"name": f"feature {i}", "value": 1.25 * i, "deviation": 2.0 - i} for i in range(4)]
    told = {"index": 2, "loss": 3.21, "true": 1, "predicted": 0, "true_share": 0.04, "predicted_share": 0.93}
    return {**told, "features": features, **more}


def numbers(n_outputs: int = 1, **more: Any) -> Pictures:
    scatter = [{"true": [float(i) for i in range(50)], "predicted": [i * 0.9 for i in range(50)]}] * n_outputs
    example = {"index": 1, "loss": 2.5, "true": [10.0] * n_outputs, "predicted": [40.0] * n_outputs}
    names = [f"output {index}" for index in range(n_outputs)]
    told = {"task": "regression", "scatter": scatter, "worst": [example], "target_names": names}
    return Pictures.model_validate({**BASE, **told, **more})


def plane(**more: Any) -> dict[str, Any]:
    """Class 1 in the right half, with a point of each class in its middle."""
    grid = {"names": ["across", "up"], "x": [0.0, 8.0], "y": [-1.0, 1.0], "columns": 8, "rows": 4}
    points = {"point_x": [2.0, 6.0], "point_y": [0.5, -0.5], "point_targets": [0, 1]}
    return {**grid, "classes": [0, 0, 0, 0, 1, 1, 1, 1] * 4, "percents": [100] * 32, **points, **more}


def pixels(shape: tuple[int, int], ink: tuple[int, ...] = (255,)) -> dict[str, Any]:
    """Pictures whose upper left quarter is bright, all else black."""
    rows, columns = shape
    image = [
        level if y < rows // 2 and x < columns // 2 else 0 for y in range(rows) for x in range(columns) for level in ink
    ]
    return {"image_shape": (rows, columns, len(ink)), "worst": [worst(image=image, features=[])] * 12}


def drawn(panel: type[Picture], pictures: Pictures, size: tuple[int, int], palette: Palette = PALETTE) -> list[Strip]:
    return panel.draw(panel.__new__(panel), pictures, *size, palette)


def text(strips: list[Strip]) -> list[str]:
    return [strip.text for strip in strips]


def ground(strip: Strip, column: int) -> Any:
    (segment,) = strip.crop(column, column + 1)
    assert segment.style is not None
    return segment.style.bgcolor


EVERYTHING = [
    classes(), classes(1), classes(10), classes(50), classes(confusion=[], confused=[]),
    classes(target_names=[]), classes(target_names=["汉字" * 20, "e\u0301" * 20, "x" * 40]),
    classes(**pixels((8, 8))), classes(**pixels((32, 32))), classes(**pixels((1, 32))), classes(**pixels((32, 1))),
    classes(**pixels((8, 8), (255, 0, 128))), classes(**pixels((31, 32), (0, 1, 254))),
    classes(2, boundary=plane()), classes(2, boundary=plane(x=[1e300, 1.1e300], point_x=[float("nan"), 1e301])),
    classes(2, boundary=plane(y=[1e-300, 2e-300], point_targets=[float("inf"), -3.0])),
    classes(worst=[worst(loss=float("nan"), predicted_share=float("nan"))]),
    numbers(), numbers(8), numbers(scatter=[{"true": [], "predicted": []}]),
    numbers(scatter=[{"true": [float("nan"), 1e308, 5.0], "predicted": [1.0, -1e308, float("inf")]}]),
    numbers(scatter=[{"true": [7.0] * 9, "predicted": [7.0] * 9}]),
    numbers(worst=[{"index": 0, "loss": float("inf"), "true": [float("nan")], "predicted": [1e308]}]),
    numbers(boundary=plane(classes=[], percents=[], values=[float(i) for i in range(32)])),
    numbers(boundary=plane(classes=[], percents=[], values=[float("nan")] * 32, point_targets=[1e308, -1e308])),
]  # fmt: skip


@pytest.mark.parametrize("palette", [PALETTE, without_colour(PALETTE)], ids=["colour", "plain"])
@pytest.mark.parametrize("size", SIZES)
def test_every_picture_fills_exactly_its_size(size: tuple[int, int], palette: Palette):
    count = 0
    for pictures in EVERYTHING:
        for panel in PANELS:
            if panel.applies(panel.__new__(panel), pictures):
                strips = drawn(panel, pictures, size, palette)
                assert len(strips) == size[1]
                assert {strip.cell_length for strip in strips} == {size[0]}
                assert all(cell_len(strip.text) == size[0] for strip in strips)
                count += 1
    assert count > 2 * len(EVERYTHING)


def test_weights_of_the_midst_of_an_epoch_are_not_told_as_the_epoch_s():
    assert headline(classes(epoch=0, step=23)).startswith("weights of epoch 1 · ")
    assert headline(classes(epoch=0, step=8, epoch_is_over=False)).startswith("weights of update 8 · ")


def test_what_does_not_apply_to_the_data_is_left_out():
    def applying(pictures: Pictures) -> list[type[Picture]]:
        return [panel for panel in PANELS if panel.applies(panel.__new__(panel), pictures)]

    assert applying(classes()) == [ConfusionPanel, WorstPanel]
    assert applying(classes(2, boundary=plane())) == [ConfusionPanel, WorstPanel, BoundaryPanel]
    assert applying(numbers()) == [WorstPanel, ScatterPanel]


def test_the_matrix_has_a_row_for_each_true_class_with_its_recall():
    rows = text(drawn(ConfusionPanel, classes(10), (78, 17)))
    assert rows[0].split() == [*("clas…",) * 10, "recall"]
    for index, row in enumerate(rows[1:11]):
        cells = re.sub(r"^\s*class \d", "", row).split()
        expected = [str(20 if index == j else (index + j) % 3) for j in range(10)]
        assert cells[:10] == ["·" if count == "0" else count for count in expected]
        assert cells[10] == f"{20 / sum(map(int, expected)):.0%}"


def test_few_classes_have_large_cells_shaded_by_their_share_of_the_row():
    strips = drawn(ConfusionPanel, classes(confusion=[[10, 0, 0], [5, 5, 0], [0, 1, 9]]), (112, 12))
    rows = text(strips)
    middle = [rows[2], rows[5], rows[8]]
    assert ["10" in middle[0], " 5 " in middle[1], " 9 " in middle[2]] == [True] * 3
    columns = [match.start() for match in re.finditer(r"class \d", rows[0])]
    shades = [[ground(strips[2 + 3 * row], column) for column in columns] for row in range(3)]
    background = PALETTE.background.rich_color
    assert shades[0][1] == shades[0][2] == shades[1][2] == background
    assert len({shades[0][0].triplet.green, shades[1][1].triplet.green, shades[2][2].triplet.green}) == 3
    assert shades[0][0].triplet.green > shades[2][2].triplet.green > shades[1][1].triplet.green
    assert shades[1][0].triplet.red > shades[2][1].triplet.red > background.triplet.red
    assert ground(strips[1], columns[0]) == ground(strips[3], columns[0]) == shades[0][0], "three rows high"


def test_where_the_matrix_has_no_room_the_pairs_that_are_confused_most_stand():
    rows = text(drawn(ConfusionPanel, classes(50), (78, 17)))
    assert rows[0].startswith("confused most")
    assert re.match(r"class 1 as class 0 +7 +━+", rows[1])
    assert re.match(r"class 0 as class 2 +2 +━+", rows[2])
    assert rows[1].count("━") > rows[2].count("━")
    assert "confused most" in "".join(text(drawn(ConfusionPanel, classes(3), (112, 12)))), "beside it, where it has"


def test_a_network_without_a_mistake_is_told_so():
    assert "no example was taken" in text(drawn(ConfusionPanel, classes(confusion=[], confused=[]), (78, 17)))[0]


def test_a_picture_has_square_pixels_and_its_labels_under_it():
    strips = drawn(WorstPanel, classes(**pixels((8, 8))), (112, 25))
    rows = text(strips)
    bright, dark = ground(strips[0], 0), ground(strips[0], 15)
    assert bright.triplet.red > 200 > 40 > dark.triplet.red
    assert [ground(strips[row], 0) == bright for row in range(8)] == [True] * 4 + [False] * 4
    assert [ground(strips[0], column) == bright for column in range(16)] == [True] * 8 + [False] * 8
    assert rows[8].count("class 1 ") == 6, "twelve pictures, in two rows"
    assert rows[9].startswith("seen as class 0")
    assert rows[10].startswith("93% · loss 3.21")


def test_labels_that_are_short_stand_in_one_line():
    rows = text(drawn(WorstPanel, classes(target_names=["a", "b", "c"], **pixels((8, 8))), (112, 25)))
    assert rows[8].startswith("b seen as a ")
    assert rows[9].startswith("93% · loss 3.21")


def test_half_blocks_show_two_pixels_in_a_cell():
    image = [0, 0, 255, 255] * 8
    strips = drawn(WorstPanel, classes(image_shape=(16, 2, 1), worst=[worst(image=image, features=[])] * 12), (40, 11))
    (segment, *_) = strips[0].crop(0, 1)
    assert segment.text == "▀"
    assert segment.style is not None
    assert segment.style.color.triplet.red < segment.style.bgcolor.triplet.red


def test_a_colour_picture_is_drawn_in_its_own_colours():
    image = [255, 0, 136, 0, 0, 0] * 16
    pictures = classes(image_shape=(16, 2, 3), worst=[worst(image=image, features=[])])
    strips = drawn(WorstPanel, pictures, (40, 30))
    assert tuple(ground(strips[0], 0).triplet) == (255, 0, 136)
    assert tuple(ground(strips[0], 3).triplet) == (0, 0, 0)


def test_half_blocks_of_a_colour_picture_have_two_colours():
    image = [255, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0, 255] * 8
    pictures = classes(image_shape=(16, 2, 3), worst=[worst(image=image, features=[])] * 12)
    (segment, *_) = drawn(WorstPanel, pictures, (40, 11))[0].crop(0, 1)
    assert segment.text == "▀"
    assert segment.style is not None
    assert [tuple(colour.triplet) for colour in (segment.style.color, segment.style.bgcolor)] == [
        (255, 0, 0),
        (0, 0, 255),
    ]


@pytest.mark.parametrize(("ink", "shade"), [((255, 255, 255), "█"), ((255, 0, 255), "▓"), ((0, 0, 255), "░")])
def test_without_colour_a_colour_picture_is_as_dark_as_its_channels_are_together(ink: tuple[int, ...], shade: str):
    rows = text(drawn(WorstPanel, classes(**pixels((8, 8), ink)), (112, 25), without_colour(PALETTE)))
    assert rows[0].startswith(shade * 8 + " " * 8)


def test_without_colour_a_picture_is_drawn_in_shades():
    rows = text(drawn(WorstPanel, classes(**pixels((8, 8))), (112, 25), without_colour(PALETTE)))
    assert rows[0].startswith("█" * 8 + " " * 8)
    assert rows[4].startswith(" " * 16)


def test_a_small_panel_shows_fewer_and_smaller_pictures_but_whole_ones():
    def labels(shape: tuple[int, int], size: tuple[int, int]) -> list[int]:
        rows = text(drawn(WorstPanel, classes(target_names=["a", "b", "c"], **pixels(shape)), size))
        return [row.count("b seen as a") for row in rows if "b" in row]

    assert labels((8, 8), (78, 17)) == [4]
    assert labels((8, 8), (40, 6)) == [2]
    assert labels((28, 28), (78, 17)) == [2]
    assert labels((28, 28), (78, 10)) == [5]


def test_an_example_of_a_table_is_told_by_what_is_unusual_in_it():
    rows = text(drawn(WorstPanel, classes(), (60, 9)))
    assert re.match(r"class 1 seen as class 0 +93% · loss 3.21", rows[0])
    assert rows[1].startswith("  feature 0 0 +2.0σ · feature 1 1.25 +1.0σ")
    rows = text(drawn(WorstPanel, numbers(), (60, 9)))
    assert re.match(r"10, predicted 40 \(\+30\) +loss 2.5", rows[0])


def test_dots_lie_on_the_diagonal_where_predictions_are_right():
    exact = {"true": [float(i) for i in range(10)], "predicted": [float(i) for i in range(10)]}
    strips = drawn(ScatterPanel, numbers(scatter=[exact], worst=[]), (60, 20))
    rows = text(strips)
    assert rows[0].startswith("↑ predicted  → true output 0")
    places = [(row.index("•"), y) for y, row in enumerate(rows) if "•" in row]
    assert len(places) == 10
    assert places == sorted(places, key=lambda place: -place[0])
    steps = [a[0] - b[0] for a, b in itertools.pairwise(places)]
    assert max(steps) - min(steps) <= 3, "on a straight line"


def test_the_worst_are_marked_in_the_scatter_and_outputs_stand_beside_each_other():
    rows = text(drawn(ScatterPanel, numbers(2), (120, 20)))
    assert rows[0].count("→ true output") == 2
    assert sum(row.count("×") for row in rows[1:]) == 2
    assert text(drawn(ScatterPanel, numbers(2), (60, 20)))[0].count("→ true output") == 1


def test_many_examples_are_dots_of_braille():
    many = {"true": [float(i) for i in range(500)], "predicted": [float(i % 50) for i in range(500)]}
    rows = text(drawn(ScatterPanel, numbers(scatter=[many]), (60, 20)))
    assert not any("•" in row for row in rows)
    assert sum(0x2800 <= ord(letter) < 0x2900 for row in rows for letter in row) > 100


def test_the_plane_is_in_the_colours_of_the_classes_with_the_examples_over_it():
    strips = drawn(BoundaryPanel, classes(2, boundary=plane()), (60, 20))
    rows = text(strips)
    assert rows[0].startswith("↑ up  → across   ● class 0  ○ class 1")
    left, right = ground(strips[5], 12), ground(strips[5], 50)
    assert left.triplet.blue > left.triplet.red
    assert right.triplet.red > right.triplet.blue
    ((x0, y0),) = [(row.index("●"), y) for y, row in enumerate(rows) if y and "●" in row]
    ((x1, y1),) = [(row.index("○"), y) for y, row in enumerate(rows) if y and "○" in row]
    assert x0 < 30 < x1
    assert y0 < 9 < y1, "the second feature goes up"


def test_a_network_that_is_less_sure_is_fainter():
    faint = drawn(BoundaryPanel, classes(2, boundary=plane(percents=[55] * 32)), (60, 20))
    sure = drawn(BoundaryPanel, classes(2, boundary=plane()), (60, 20))
    assert ground(sure[5], 12).triplet.blue > ground(faint[5], 12).triplet.blue + 30


def test_without_colour_classes_have_textures_and_shapes():
    rows = text(drawn(BoundaryPanel, classes(2, boundary=plane()), (60, 20), without_colour(PALETTE)))
    inside = rows[5].split("│")[-1].split("┤")[-1]
    assert inside[2:20].strip(" ●") == ""
    assert set(inside[32:50]) == {"░"}


def test_a_plane_of_values_goes_from_one_colour_to_the_other():
    values = [float(column) for _ in range(4) for column in range(8)]
    pictures = numbers(boundary=plane(classes=[], percents=[], values=values, point_targets=[0.0, 7.0]))
    strips = drawn(BoundaryPanel, pictures, (60, 20))
    reds = [ground(strips[5], column).triplet.red for column in range(12, 58, 6)]
    assert reds == sorted(reds)
    assert len(set(reds)) > 4
    assert "output 0" in strips[0].text


# The grid.


def test_wide_and_combining_characters_keep_the_cells_in_place():
    grid = CellGrid(6, 1, PALETTE.style())
    grid.put(0, 0, "汉e\u0301x", PALETTE.style())
    assert grid.strips()[0].text == "汉e\u0301x  "
    assert grid.strips()[0].cell_length == 6
    grid.put(5, 0, "汉", PALETTE.style())
    assert grid.strips()[0].text == "汉e\u0301x  ", "half a character is none"
    grid.put(-3, 0, "abcde", PALETTE.style())
    grid.put(0, 9, "z", PALETTE.style())
    assert cell_len(grid.strips()[0].text) == 6


@pytest.mark.parametrize(
    ("words", "width", "align", "expected"),
    [("abc", 5, "<", "abc  "), ("abc", 5, ">", "  abc"), ("abc", 5, "^", " abc "), ("abcdef", 4, "<", "abc…"),
     ("汉字汉字", 5, "<", "汉字…"), ("汉字汉字", 4, ">", " 汉…"), ("abc", 1, "<", "…"), ("abc", 0, "<", "")],
)  # fmt: skip
def test_text_is_fitted_to_its_cells(words: str, width: int, align: str, expected: str):
    assert fitted(words, width, align) == expected
