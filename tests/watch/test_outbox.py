"""Messages arrive once, whatever the other side does, and nothing secret is shown."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from patience import HANGS
from runopsy.errors import BadOption
from runopsy.model import Severity
from runopsy.watch.channels import Command, Flag, Message, channels
from runopsy.watch.looking import News, Reported
from runopsy.watch.outbox import MOST, USUAL, Outbox, message, wanted

NASTY = '$(touch x); `id` && "\'\n\\{"a":1}\x1b[31m{{7*7}} \u202e'


def made(kind="divergence", step=10.0, run="run", text="it diverged", now=1000.0):
    news = News(kind, kind, step, f"step {step:g}", text, Severity.FATAL)
    return message(news, run, f"/runs/{run}", 0.0, now)


class Recorded:
    """A channel that fails as often as it is asked to."""

    def __init__(self, name="recorded-1", fails=0, error=None):
        self.name, self.fails, self.error, self.taken, self.tries = name, fails, error, [], 0

    def deliver(self, message):
        self.tries += 1
        if self.tries <= self.fails:
            if self.error:
                raise self.error
            return False
        self.taken.append(message)
        return True


@pytest.fixture
def soon(monkeypatch):
    """A hundredth of a second before a second try, in place of a second."""
    monkeypatch.setattr("runopsy.watch.outbox.FIRST", 0.01)


def until(condition):
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_each_message_goes_to_each_channel_once():
    a, b = Recorded("a-1"), Recorded("b-1")
    box = Outbox([a, b])
    assert box.post(made())
    assert not box.post(made())
    assert box.close() == 0
    assert [len(a.taken), len(b.taken)] == [1, 1]


@pytest.mark.parametrize("error", [None, OSError("refused"), RuntimeError("any")])
def test_a_channel_that_fails_is_tried_again_and_complained_of_once(error, soon):
    complaints, channel = [], Recorded(fails=3, error=error)
    box = Outbox([channel], complain=complaints.append)
    box.post(made())
    until(lambda: channel.taken)
    box.close()
    assert channel.tries == 4
    assert len(complaints) == 1


def test_a_restart_sends_what_is_left_and_repeats_nothing():
    broken, works = Recorded("a-1", fails=99), Recorded("b-1")
    first = Outbox([broken, works])
    first.post(made())
    until(lambda: works.taken)
    assert first.close() == 1
    mended, again = Recorded("a-1"), Recorded("b-1")
    second = Outbox([mended, again], kept=json.loads(json.dumps(first.state())))
    second.post(made())
    second.close()
    assert [m.id for m in mended.taken] == [made().id]
    assert again.taken == []


def test_a_channel_that_hangs_holds_up_nobody():
    free = threading.Event()

    class Hangs:
        name = "hangs-1"

        def deliver(self, message):
            free.wait(HANGS)
            return True

    box = Outbox([Hangs()])
    began = time.monotonic()
    for step in range(200):
        box.post(made(step=float(step)))
    assert time.monotonic() - began < 2
    assert box.close(patience=0.05) >= 199
    free.set()


def test_the_queue_is_bounded_and_says_so():
    complaints = []
    box = Outbox([Recorded(fails=10**9)], complain=complaints.append)
    for step in range(MOST + 50):
        box.post(made(step=float(step)))
    assert len(box.state()["waiting"]) == MOST
    assert sum("dropped" in line for line in complaints) == 1
    box.close(patience=0)


def test_one_of_a_kind_in_so_many_seconds():
    channel = Recorded()
    box = Outbox([channel], quiet_for=60)
    for k in range(10):
        box.post(made(step=float(k), now=1000.0 + 20 * k))
    box.post(made("grokking", step=5.0, now=1001.0))
    box.close()
    assert [m.time for m in channel.taken if m.kind == "divergence"] == [1000, 1060, 1120, 1180]
    assert sum(m.kind == "grokking" for m in channel.taken) == 1


def test_memorized_so_far_is_no_alarm_unless_asked_for():
    assert "memorization_onset" not in USUAL
    channel = Recorded()
    box = Outbox([channel], wanted(None))
    assert not box.post(made("memorization_onset"))
    box.close()
    assert wanted("memorization_onset, grokking") == {"memorization_onset", "grokking"}
    with pytest.raises(BadOption, match="now called loss_drop"):
        wanted("transition")
    with pytest.raises(BadOption, match="no such kind: nonsense"):
        wanted("nonsense")


def test_the_id_follows_from_what_is_sent_alone():
    assert made(now=1.0).id == made(now=2.0, text="other words").id
    assert len({made().id, made(step=11.0).id, made("grokking").id, made(run="b").id}) == 4


def revision(of_kind, of_step=10.0):
    news = News(
        "double_descent_peak", "peak", 20.0, "step 20", "it descends", Severity.INFO, (Reported(of_kind, of_step),)
    )
    return message(news, "run", "/runs/run", 0.0, 2000.0)


def test_what_revises_a_message_names_it_and_is_sent_wherever_that_was_sent():
    channel = Recorded()
    box = Outbox([channel], wanted("divergence"))
    assert not box.post(revision("divergence"))
    box.post(made())
    assert not box.post(revision("grokking"))
    assert box.post(revision("divergence"))
    assert not box.post(revision("divergence"))
    box.close()
    assert [m.kind for m in channel.taken] == ["divergence", "double_descent_peak"]
    assert revision("divergence").revises == (made().id,)


def test_a_revision_that_waits_is_the_same_after_a_restart():
    box = Outbox([Recorded("a-1", fails=99)])
    box.post(made())
    box.post(revision("divergence"))
    box.close(patience=0)
    mended = Recorded("a-1")
    second = Outbox([mended], kept=json.loads(json.dumps(box.state())))
    until(lambda: len(mended.taken) == 2)
    second.close()
    assert mended.taken[1] == revision("divergence")


def test_what_is_so_far_is_another_message_than_the_same_for_good():
    def onset(so_far):
        news = News("memorization_onset", "onset", 10.0, "step 10", "it turned", Severity.WARNING, so_far=so_far)
        return message(news, "run", "/runs/run", 0.0, 1000.0)

    assert (onset(True).so_far, onset(False).so_far) == (True, False)
    assert onset(True).id != onset(False).id
    took = News("double_descent_peak", "peak", 20.0, "step 20", "it descends", Severity.INFO,
                (Reported("memorization_onset", 10.0, so_far=True),))  # fmt: skip
    assert message(took, "run", "/runs/run", 0.0, 1000.0).revises == (onset(True).id,)


# --- commands and files --------------------------------------------------------------------------


def test_a_command_gets_json_and_no_shell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "take.py"
    script.write_text(
        "import sys, pathlib; pathlib.Path('got').write_text(sys.stdin.read() + '|' + repr(sys.argv[1:]))"
    )
    line = f"{sys.executable} {script} '$(touch x)' ';' \"a b\""
    assert Command(line).deliver(made(run=NASTY, text=NASTY))
    got, _, words = (tmp_path / "got").read_text().rpartition("|")
    assert json.loads(got)["run"] == NASTY
    assert json.loads(got)["text"] == NASTY
    assert words == repr(["$(touch x)", ";", "a b"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["got", "take.py"]


def test_a_command_that_fails_has_not_taken_the_message(monkeypatch):
    assert not Command(f"{sys.executable} -c 'raise SystemExit(3)'").deliver(made())
    with pytest.raises(FileNotFoundError):
        Command("/no/such/program").deliver(made())
    with pytest.raises(BadOption):
        Command("an open 'quote")
    with pytest.raises(BadOption):
        Command(" ")
    monkeypatch.setattr("runopsy.watch.channels.LONGEST", 0.2)
    with pytest.raises(subprocess.TimeoutExpired):
        Command(f"{sys.executable} -c 'import time; time.sleep(60)'").deliver(made())


def test_a_flag_holds_the_newest_message(tmp_path):
    flag = Flag(tmp_path / "alarm")
    assert flag.deliver(made())
    assert flag.deliver(made("grokking", text=NASTY))
    assert json.loads((tmp_path / "alarm").read_text())["text"] == NASTY
    assert [p.name for p in tmp_path.iterdir()] == ["alarm"]


def test_a_channel_is_named_by_a_hash_alone(tmp_path):
    secret = tmp_path / "s3cret"
    (flag,) = channels([], None, secret)
    assert "s3cret" not in flag.name
    assert "s3cret" not in Command("curl s3cret").name


# --- a webhook by apprise ------------------------------------------------------------------------


apprise = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries that it loads


def hook(server, query=""):
    pytest.importorskip("apprise")
    return channels([f"json://user:s3cret@127.0.0.1:{server.server_port}/{query}"], None, None)


@apprise
@pytest.mark.parametrize("answers", [[200], [500, 503, 200], [404, 200]])
def test_a_webhook_gets_each_message_once_after_it_has_answered(server, answers, soon, capfd):
    server.RequestHandlerClass.answers, complaints = list(answers), []
    box = Outbox(hook(server), complain=complaints.append)
    box.post(made(run=NASTY, text=NASTY))
    until(lambda: server.RequestHandlerClass.got)
    box.post(made(run=NASTY, text=NASTY))
    assert box.close() == 0
    (got,) = server.RequestHandlerClass.got
    assert "$(touch x)" in got["title"]
    assert "\x1b" not in got["title"] + got["message"]
    assert made(run=NASTY).id in got["message"]
    everything = "".join(complaints) + json.dumps(box.state()) + "".join(capfd.readouterr())
    assert "s3cret" not in everything
    assert len(complaints) == (len(answers) > 1)


@apprise
def test_a_webhook_that_hangs_or_refuses_stops_nothing(server, capfd):
    server.RequestHandlerClass.answers = [0]
    refusing = channels(["json://user:s3cret@127.0.0.1:1/"], None, None) if hook(server) else []
    other = Recorded()
    box = Outbox([other, *refusing, *hook(server, "?rto=0.2&cto=0.2")], complain=lambda line: None)
    began = time.monotonic()
    box.post(made())
    assert time.monotonic() - began < 1
    until(lambda: other.taken)
    assert box.close(patience=1) >= 1
    assert "s3cret" not in "".join(capfd.readouterr())


@apprise
def test_an_address_that_means_nothing_is_refused_without_repeating_it():
    pytest.importorskip("apprise")
    with pytest.raises(BadOption) as refused:
        channels(["nonsense://user:s3cret@host"], None, None)
    assert "s3cret" not in str(refused.value)


def test_without_apprise_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(BadOption) as refused:
        channels(["json://localhost"], None, None)
    assert "runopsy[alerts]" in refused.value.hint


def test_a_message_is_data(tmp_path):
    given = json.loads(json.dumps(vars_of(made(run=NASTY))))
    assert Message(**{**given, "revises": tuple(given["revises"])}) == made(run=NASTY)
    assert Path(made().path) == Path("/runs/run")


def vars_of(message):
    return {name: getattr(message, name) for name in message.__slots__}
