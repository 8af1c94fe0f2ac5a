import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

import hostile
import planted
import runopsy
from runopsy.report.words import visible

VOID = {"meta", "link", "input", "br", "img", "hr", "path", "rect"}


class Page(HTMLParser):
    """Tags in order, attributes, text outside of style and script; complains where a tag is not closed."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attrs, self.text, self.scripts, self.open = [], [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.attrs if name == tag]

    @property
    def words(self):
        return " ".join("".join(self.text).split())


def page(run):
    return Page(runopsy.render(runopsy.analyze(run), "html"))


def test_every_tag_is_closed_and_every_link_has_its_place():
    found = page(planted.grokking())
    places = {attrs["id"] for _, attrs in found.attrs if "id" in attrs}
    links = [attrs["href"] for attrs in found.all("a")]
    assert links
    assert {link.removeprefix("#") for link in links} <= places
    opens = {attrs["data-opens"] for attrs in found.all("input") if "data-opens" in attrs}
    assert opens <= places
    ids = [attrs["id"] for _, attrs in found.attrs if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_no_address_leads_out_of_the_page():
    written = runopsy.render(runopsy.analyze(planted.grokking()), "html")
    assert not re.search(r"https?://|//[a-z]+\.|@import|url\(", written)


def test_the_page_forbids_the_browser_every_request_and_every_other_script():
    written = runopsy.render(runopsy.analyze(planted.grokking()), "html")
    found = Page(written)
    policy = next(a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    script = re.findall(r"<script>(.*?)</script>", written, re.DOTALL)
    assert len(script) == 1
    known = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy.startswith("default-src 'none';")
    assert f"script-src 'sha256-{known}'" in policy


@pytest.mark.parametrize("name", hostile.NAMES, ids=range(len(hostile.NAMES)))
def test_hostile_names_stay_text(name):
    found, calm = page(hostile.run(name)), page(hostile.run("calm"))
    assert [t for t in found.tags if t != "p"] == [t for t in calm.tags if t != "p"]
    shown = " ".join(visible(name).split())
    assert found.words.count(shown[:50]) >= 4
    assert not [a for _, attrs in found.attrs for a in attrs if a.startswith("on")]
    for data in found.scripts[:-1]:
        json.loads(data)


def test_each_figure_has_a_text_and_each_chart_a_name():
    found = page(planted.grokking())
    (figure,) = found.all("figure")
    assert "memorization" in figure["aria-label"]
    plots = [a for a in found.all("div") if "plot" in a.get("class", "").split()]
    assert all(a["aria-label"] and a["tabindex"] == "0" for a in plots)
    assert all(a.get("aria-hidden") == "true" for a in found.all("svg"))


def test_the_curves_are_there_without_the_script():
    written = runopsy.render(runopsy.analyze(planted.grokking()), "html")
    assert len(re.findall(r'<path class="line c\d" data-of="\d" d="M', written)) == 4


def test_the_cursor_reads_what_was_logged():
    run = planted.grokking()
    found = page(run)
    data = json.loads(found.scripts[0])
    (train,) = [line for line in data["lines"] if line["name"] == "train/loss"]
    track = run.tracks["train/loss"]
    assert train["step"] == track.step.tolist()
    assert train["value"] == pytest.approx(track.value.tolist(), rel=1e-4)
