"""Markdown is tested as it is read: through a renderer of CommonMark with GitHub's tables."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt

import hostile
import planted
import runopsy
from runopsy.report import compose, markdown, save
from runopsy.report.document import Details, Document, Findings, Heading, Prose, Table
from runopsy.report.words import visible

GITHUB = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
GITHUB.validateLink = lambda url: True  # GitHub drops pictures in data: addresses; this shows whether they are whole


class Reader(HTMLParser):
    """What a page shows: its words, its tags, its images, its cells."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.text, self.tags, self.images = [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))
            self.text.append(dict(attrs).get("alt", ""))

    def handle_data(self, data):
        self.text.append(data)

    @property
    def words(self):
        return "".join(self.text).replace("\u2060", "")


def read(written):
    return Reader(GITHUB.render(written))


def report(run, **options):
    return runopsy.render(runopsy.analyze(run), "markdown", **options)


def test_the_first_line_is_the_verdict_with_its_confidence():
    first = report(planted.grokking()).splitlines()[0]
    assert re.fullmatch(
        r"# Grokked \(right about \d+ times in \d+\): validation accuracy rose only after training was fitted", first
    )


def test_tables_are_tables_and_no_cell_is_lost():
    written = report(planted.grokking())
    tables = [token for token in GITHUB.parse(written) if token.type == "table_open"]
    assert len(tables) == len(re.findall(r"^\| ---", written, re.MULTILINE)) >= 4
    for block in re.findall(r"(?:^\|.*\n)+", written, re.MULTILINE):
        page = GITHUB.render(block)
        rows = [row.count("<td") or row.count("<th") for row in page.split("<tr>")[1:]]
        assert len(set(rows)) == 1


@pytest.mark.parametrize("name", hostile.NAMES, ids=range(len(hostile.NAMES)))
def test_hostile_names_stay_text(name):
    written = report(hostile.run(name))
    page = read(written)
    shown = " ".join(visible(name).split())
    assert " ".join(page.words.split()).count(shown[:60]) >= 4  # title, mark, note, other signals
    ours = {"h1", "h2", "p", "ul", "li", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "pre", "code",
            "details", "summary", "hr"}  # fmt: skip
    assert set(page.tags) <= ours
    calm = read(report(hostile.run("calm")))
    assert [t for t in page.tags if t != "p"] == [t for t in calm.tags if t != "p"]


@pytest.mark.parametrize("name", hostile.NAMES, ids=range(len(hostile.NAMES)))
def test_every_place_of_a_document_escapes(name):
    blocks = (Heading(name), Prose(name), Table((name, "b"), ((name, name), ("1", "2"))), Details("d", (Prose(name),)))
    page = GITHUB.render(markdown.render(Document(name, blocks)))
    found = Reader(page)
    assert set(found.tags) <= {"h1", "h2", "p", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"}
    assert found.tags.count("td") == 4
    assert found.tags.count("h1") == 1


def test_nothing_is_notified_and_nothing_is_linked():
    written = markdown.escape("see @someone, #12, http://a.example and www.a.example")
    assert "@someone" not in written
    assert "#12" not in written
    assert "http://" not in written
    assert "www." not in written
    assert read(written).words.strip() == "see @someone, #12, http://a.example and www.a.example"


def test_plain_words_and_numbers_are_not_escaped():
    for text in ("val_loss 0.5421 (best 1.2e-7); 96 % worse", "train/loss → 3.8 – 4 · a-b", "1.5→1.3", "-0.5", "+3"):
        assert markdown.escape(text) == text


def test_pictures_lie_beside_the_page_and_resolve(tmp_path):
    page, *beside = save(runopsy.analyze(planted.grokking()), tmp_path / "my autopsy.md")
    (image,) = read(page.read_text(encoding="utf-8")).images
    assert [tmp_path / unquote(image["src"])] == beside
    assert ET.parse(beside[0]).getroot().tag.endswith("svg")
    assert "grokking at" in image["alt"]


def test_embedded_pictures_need_no_file(tmp_path):
    files = save(runopsy.analyze(planted.grokking()), tmp_path / "a.md", embed=True)
    assert [f.name for f in files] == ["a.md"]
    (image,) = read(files[0].read_text(encoding="utf-8")).images
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert list(tmp_path.iterdir()) == list(files)


def test_without_a_place_for_files_the_picture_is_drawn_in_characters():
    written = report(planted.grokking())
    assert "```text\n" in written
    assert "![" not in written


def test_what_followed_the_best_step_is_put_in_hours_and_money():
    run = planted.overfitting()
    timed = planted.run(run.tracks["train/loss"].step * 1.0, {n: t.value for n, t in run.tracks.items()}, time=True)
    written = report(timed, gpus=8, price=2.0)
    stop = runopsy.analyze(timed).stop
    hours = stop.wasted_seconds / 3600 * 8
    assert f"On 8 GPUs that is {hours:.2g} GPU-hours, or {hours * 2:.2f} at 2.00 an hour" in written
    assert "the log holds no times" in report(run, gpus=8)


def test_findings_stay_one_list():
    run = planted.grokking()
    document = compose.compose(runopsy.analyze(run))
    (found,) = [b for b in document.blocks if isinstance(b, Findings)]
    assert read(report(run)).tags.count("li") >= len(found.items)
