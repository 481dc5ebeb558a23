"""A sweep loses nothing and repeats nothing: killed and restarted, on another cluster, with runs that fail."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-W", "error", "-m", "experiments", "long-memory", "--small"]


def start(arguments, **options):
    """A process in a session of its own, so that all of it can be killed, and nothing else."""
    return subprocess.Popen(arguments, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            start_new_session=True, **options)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out, err


def kill(process):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def wait_for(condition, process, seconds=90):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.02)
    return found


def lines(folder):
    """The complete lines of the only journal."""
    return [line for path in folder.glob("*.jsonl") for line in path.read_bytes().split(b"\n")[:-1]]


def comparable(path):
    """The bytes of a result, but for the day and the commit, which the clock and the tree may change in between."""
    return re.sub(rb'^  "(commit|date)": .*\n', b"", path.read_bytes(), flags=re.MULTILINE)


@pytest.fixture
def sweep(monkeypatch):
    """The module, out of the repository's folder, which is no package that is installed."""
    monkeypatch.syspath_prepend(ROOT)
    from experiments import sweep

    return sweep


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The small experiment on a scheduler and two workers that somebody else has started, somewhere else; then once
    more, and this time that scheduler is killed."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    contact = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    scheduler = start([*dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", contact], cwd=folder)
    workers = None
    try:
        address = wait_for(lambda: contact.exists() and contact.read_text(), scheduler)
        address = json.loads(address)["address"]
        workers = start([*dask, "worker", address, "--nworkers", "2", "--nthreads", "1", "--no-dashboard"], cwd=folder)
        out, err = finish(start([*COMMAND, "--scheduler", address, "--folder", folder], cwd=ROOT))
        assert scheduler.poll() is workers.poll() is None                   # they are not ours to stop
        orphan = start([*COMMAND, "--scheduler", address, "--folder", folder / "orphan"], cwd=ROOT)
        wait_for(lambda: lines(folder / "orphan"), orphan)
        kill(scheduler)
        orphan.complaint = orphan.communicate(timeout=120)[1]
    finally:
        for process in filter(None, (workers, scheduler)):
            kill(process)
    return folder, out, err, orphan


def test_a_scheduler_s_address_is_all_it_needs(uninterrupted):
    folder, out, err, _ = uninterrupted
    result = json.loads((folder / "long-memory-small.json").read_text(encoding="utf-8"))
    assert {"commit", "date", "device", "versions"} <= result.keys()
    assert len(result["rows"]) == len(lines(folder))
    assert f"{len(result['rows'])}/{len(result['rows'])}" in err            # the progress bar
    assert "delayed recall" in out


def test_a_scheduler_that_goes_away_is_named_and_what_is_finished_stays(uninterrupted):
    folder, _, _, orphan = uninterrupted
    assert orphan.returncode == 1
    assert "long-memory-small: the scheduler has gone; what is finished is kept" in orphan.complaint
    assert lines(folder / "orphan")
    assert not list((folder / "orphan").glob("*.json"))


def test_killed_half_way_and_started_again_it_writes_the_same_bytes(uninterrupted, tmp_path):
    whole = uninterrupted[0] / "long-memory-small.json"
    command = [*COMMAND, "--workers", "1", "--folder", tmp_path]
    killed = start(command, cwd=ROOT)
    try:
        wait_for(lambda: len(lines(tmp_path)) >= 10, killed)
    finally:
        kill(killed)
    kept = lines(tmp_path)
    runs = len(lines(uninterrupted[0]))
    assert 10 <= len(kept) < runs
    assert not (tmp_path / whole.name).exists()
    (journal,) = tmp_path.glob("*.jsonl")
    with journal.open("ab") as file:
        file.write(b'{"run": "task copy, mod')                              # what a power cut leaves of a line
    _, err = finish(start(command, cwd=ROOT))
    assert f"Going on: {len(kept)} of {runs} runs are kept." in err
    assert comparable(tmp_path / whole.name) == comparable(whole)
    assert lines(tmp_path)[: len(kept)] == kept                             # nothing lost,
    names = [json.loads(line)["run"] for line in lines(tmp_path)]
    assert len(names) == len(set(names)) == runs                            # nothing repeated


SCRIPT = """
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from experiments.sweep import Journal, sweep

folder = Path({folder!r})

def function(letter):
    with (folder / letter).open("a") as file:
        file.write("x")
    tries = len((folder / letter).read_text())
    if letter == "r" or letter == "s" and tries == 1:
        raise ValueError("no good\\nat all")
    if letter == "d" or letter == "e" and tries == 1:
        os._exit(1)
    return {{"letter": letter}}

if __name__ == "__main__":
    runs = [{{"letter": letter}} for letter in "adrse"]
    done, failed = sweep(function, runs, Journal(folder / "kept", "letters", function.__module__))
    assert [done[f"letter {{letter}}"]["row"] for letter in "ase"] == [{{"letter": letter}} for letter in "ase"]
    assert failed.keys() == {{"letter d", "letter r"}}
    assert failed["letter r"] == "ValueError: no good"
    assert failed["letter d"].startswith("KilledWorker"), failed
"""


def test_a_run_that_raises_or_takes_its_worker_down_is_tried_again_then_named_and_the_rest_is_kept(tmp_path):
    script = tmp_path / "letters.py"
    script.write_text(SCRIPT.format(root=str(ROOT), folder=str(tmp_path)))
    once = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}      # deaths that are forgiven
    _, err = finish(start([sys.executable, script], env=once))
    assert "FAILED letter r: ValueError: no good" in err
    assert {json.loads(line)["run"] for line in lines(tmp_path / "kept")} == {"letter a", "letter s", "letter e"}
    assert len((tmp_path / "r").read_text()) == 3                           # once, and twice again


# What is kept


def test_a_journal_gives_back_what_was_put_in(sweep, tmp_path):
    runs = [{"x": 1}, {"x": 2}]
    journal = sweep.Journal(tmp_path, "t", "builtins")
    assert journal.read(runs) == {}
    journal.append(runs[0], {"row": {"y": 0.1 + 0.2, "z": None}})
    journal.append(runs[1], {"row": {"y": 1e-300}})
    found = {"x 1": {"row": {"y": 0.1 + 0.2, "z": None}}, "x 2": {"row": {"y": 1e-300}}}
    assert sweep.Journal(tmp_path, "t", "builtins").read(runs) == found


def test_another_configuration_takes_only_what_it_would_compute_again(sweep, tmp_path):
    journal = sweep.Journal(tmp_path, "t", "builtins")
    journal.append({"x": 1, "rate": 0.1}, {"row": 1})
    journal.append({"x": 2, "rate": 0.1}, {"row": 2})
    assert journal.read([{"x": 2, "rate": 0.1}, {"x": 1, "rate": 0.2}]) == {"x 2, rate 0.1": {"row": 2}}


@pytest.mark.parametrize("torn", [b'{"run": "x 2", "ro', b'{"run": "x 2", "row": 2}', b"\xff\xfe", b"{"])
@pytest.mark.parametrize("whole", [0, 1])
def test_a_line_without_its_end_counts_as_not_written_and_does_not_spoil_the_next(sweep, tmp_path, torn, whole):
    runs = [{"x": 1}, {"x": 2}]
    journal = sweep.Journal(tmp_path, "t", "builtins")
    for run in runs[:whole]:
        journal.append(run, {"row": 1})
    with journal.path.open("ab") as file:
        file.write(torn)
    assert journal.read(runs) == ({"x 1": {"row": 1}} if whole else {})
    journal.append(runs[1], {"row": 3})
    assert journal.read(runs)["x 2"] == {"row": 3}


def test_other_code_and_other_versions_have_journals_of_their_own(sweep, tmp_path, monkeypatch):
    paths = {sweep.Journal(tmp_path, "t", "unrolled.training").path}
    software = sweep.software("unrolled.training")
    assert set(software) == {"python", "torch", "numpy", "code"}
    for changed in software:
        monkeypatch.setattr(sweep, "software", lambda _, changed=changed: software | {changed: "other"})
        paths.add(sweep.Journal(tmp_path, "t", "unrolled.training").path)
    assert len(paths) == 1 + len(software)


def test_a_journal_that_another_machine_began_is_gone_on_with_and_left_as_it_is(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "HANDED_ON", tmp_path / "journals")
    begun = sweep.Journal(tmp_path / "journals", "t", "builtins")
    begun.append({"x": 1}, {"row": 1})
    before = begun.path.read_bytes()
    journal = sweep.Journal(tmp_path / "build", "t", "builtins")
    assert journal.read([{"x": 1}, {"x": 2}]) == {"x 1": {"row": 1}}
    journal.append({"x": 2}, {"row": 2})
    assert begun.path.read_bytes() == before
    assert len(sweep.Journal(tmp_path / "build", "t", "builtins").read([{"x": 1}, {"x": 2}])) == 2


def test_the_code_that_counts_is_a_study_and_all_that_it_imports(sweep):
    found = {str(path.relative_to(ROOT / "src/unrolled")) for path in sweep.sources("unrolled.studies.budgets")}
    assert {"studies/budgets.py", "studies/architectures.py", "torch/transformer.py", "data/elnino.csv"} <= found
    assert "explanation.py" not in found


def test_a_worker_with_other_software_refuses(sweep, monkeypatch):
    work, other = sweep.on_worker(dict), sweep.software("builtins") | {"torch": "1.0"}
    assert work({"x": 1})["row"] == {"x": 1}
    monkeypatch.setattr(sweep, "software", lambda _: other)
    with pytest.raises(RuntimeError, match="the worker has other software than the client: torch 1.0 for 2"):
        work({"x": 1})


def test_a_result_is_replaced_whole_or_not_at_all(sweep, tmp_path, monkeypatch):
    path = tmp_path / "new" / "t.json"
    done = {f"x {x}": {"device": f"processor {x % 2}", "row": {"x": x}} for x in range(4)}
    runs = [{"x": x} for x in (3, 1, 2, 0)]
    written = sweep.write(path, runs, done, "builtins")
    assert json.loads(path.read_text(encoding="utf-8")) == written
    assert [row["x"] for row in written["rows"]] == [3, 1, 2, 0]            # the order of the runs
    assert written["device"] == "processor 0 and processor 1"
    before = path.read_bytes()

    def fails(*_):
        raise OSError("disk full")

    monkeypatch.setattr(sweep.os, "replace", fails)
    with pytest.raises(OSError, match="disk full"):
        sweep.write(path, runs[:1], done, "builtins")
    assert [path.read_bytes() for path in path.parent.iterdir()] == [before]


def test_a_link_stays_a_link(sweep, tmp_path):
    (tmp_path / "link.json").symlink_to("real.json")
    sweep.write(tmp_path / "link.json", [{"x": 1}], {"x 1": {"device": "d", "row": {}}}, "builtins")
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "real.json").read_text())["rows"] == [{}]
