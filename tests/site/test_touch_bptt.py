"""The numbers of the chapter's figures to touch: what their scripts compute equals what the package computes."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.site.test_touch import script

import unrolled.numpy
import unrolled.torch
from unrolled import studies
from unrolled.instruments import gradients
from unrolled.instruments.memory import checkpointed_bptt
from unrolled.studies import late_clue

CHAPTER = Path(__file__).parents[2] / "book/bptt"

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


@pytest.mark.parametrize(("u", "inputs", "target"), [(0.5, [1, 0, 0], 1), (-1, [1, 0, 0], 1),
                                                     (2, [0.3, -1, 0.5, 2], 0)])
def test_worked_has_the_numbers_of_autograd(u, inputs, target):
    weights = torch.full((len(inputs),), u, dtype=torch.float64, requires_grad=True)        # a copy for each use
    a, h = [], [torch.zeros((), dtype=torch.float64)]
    for x, weight in zip(inputs, weights):
        a.append(x + weight * h[-1])
        h.append(torch.tanh(a[-1]))
        a[-1].retain_grad()
        h[-1].retain_grad()
    loss = (h[-1] - target) ** 2 / 2
    loss.backward()
    steps = range(1, len(inputs) + 1)
    expected = {("loss", steps[-1]): loss.item(), ("sum", steps[-1]): weights.grad.sum().item()}
    for t in steps:
        expected |= {("carried", t): u * h[t - 1].item(), ("a", t): a[t - 1].item(), ("h", t): h[t].item(),
                     ("g", t): h[t].grad.item(), ("slope", t): 1 - h[t].item() ** 2,
                     ("delta", t): a[t - 1].grad.item(), ("share", t): weights.grad[t - 1].item()}
    moments = script("worked", "moments", u, inputs, target)
    found = {(moment["row"], moment["t"]): moment["value"] for moment in moments}
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-15)
    # Nothing is used before it is computed, apart from the inputs and h_0
    places = [(moment["row"], moment["t"]) for moment in moments]
    for at, moment in enumerate(moments):
        assert {tuple(used) for used in moment["from"]} <= {*places[:at], *(("x", t) for t in steps), ("h", 0)}


@pytest.fixture(scope="module")
def cells():
    """The code cells of a page of this chapter that have all of these words, as one text."""
    def find(page, *words):
        notebook = json.loads((CHAPTER / f"{page}.ipynb").read_text(encoding="utf-8"))
        sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        return "\n".join(source for source in sources if any(word in source for word in words))
    return find


def test_shares_count_as_the_cell_of_the_page(cells):
    names = {"T": 6, "torch": torch, "split": torch.arange(1.0, 37).reshape(6, 6, 1, 1), "error": lambda *given: 0,
             "display": SimpleNamespace(to_touch=lambda *given, **numbers: None), "shared_gradient": None}
    exec(cells("the-gradient", "def with_uses(").replace("from unrolled.page import display", ""), names)
    for uses in (1, 3, 6):
        counted = names["split"][torch.tensor(script("shares", "counted", 6, uses))].sum()
        assert counted.item() == names["with_uses"](uses).item()


@pytest.mark.parametrize(("rate", "frozen"), [(0.3, False), (0.3, True), (1.0, False)])
def test_spelling_trains_as_the_page_does(cells, rate, frozen):
    names = {"np": np, "unrolled": unrolled}
    exec(cells("train-it", "WORD =", "def loss_and_gradients(", "def train("), names)
    layer = unrolled.numpy.RNN(7, 8, dtype=np.float64, seed=0)
    start = {**layer.state_dict(), "V": np.random.default_rng(0).uniform(-0.3, 0.3, (7, 8))}
    word = names["x"][:, 0].argmax(1)
    (layer, V, c), losses = names["train"](0, 40, rate, ("weight_hh_l0",) if frozen else ())
    run = script("spelling", "train", {name: values.tolist() for name, values in start.items()}, word.tolist(),
                 names["answers"].tolist(), 40, rate, frozen)
    np.testing.assert_allclose(run["losses"][:-1], losses, rtol=1e-11)
    y = torch.from_numpy(layer.forward(names["x"])[0][:, 0] @ V.T + c)
    np.testing.assert_allclose(run["right"][-1], y.softmax(1)[range(8), names["answers"]], rtol=1e-11)


@pytest.mark.parametrize(("w", "h"), [(0.9, 0), (2.0, 0.95), (1.1, 0.3), (2.5, 0.5)])
def test_reach_is_the_jacobian_of_a_unit_that_an_input_holds(w, h):
    cell = unrolled.torch.RNNCell(1, 1, bias=False, dtype=torch.float64)
    with torch.no_grad():
        cell.weight_ih.fill_(1)
        cell.weight_hh.fill_(w)
    state = torch.tensor([h], dtype=torch.float64)
    inputs = torch.full((7, 1), script("reach", "drive", w, h), dtype=torch.float64)
    torch.testing.assert_close(cell(inputs[0], state), state, rtol=1e-12, atol=1e-15)
    step = gradients.temporal_jacobian(cell, state, inputs[:1]).item()
    assert script("reach", "left", w, h, 1) == pytest.approx(step, rel=1e-12)
    assert script("reach", "left", w, h, 7) == pytest.approx(step**7, rel=1e-12)


@pytest.mark.parametrize(("w", "h"), [(0.9, 0), (2.0, 0.95), (1.0, 0), (1.5, 0.1)])
def test_reach_ends_where_less_than_the_level_is_left(w, h):
    left = (w * (1 - h**2)) ** np.arange(1000)
    expected = int(np.argmax(left < 2**-24)) if left[-1] < 2**-24 else None
    assert script("reach", "lag", w, h, 2**-24) == expected


def test_crossing_tells_the_fates_that_the_page_counts(cells):
    names, handed = {"np": np, "studies": studies, "late_clue": late_clue}, {}
    names["display"] = SimpleNamespace(to_touch=lambda key, **numbers: handed.update(numbers))
    exec(cells("remembering", 'clues = studies.rows("late-clue")', "display.to_touch(")
         .replace("from unrolled.page import display", ""), names)
    times = ([None if update is None else int(update) for update in handed[name]] for name in ("crossed", "found"))
    fates = script("crossing", "fates", *times, [row.tolist() for row in handed["accuracy"]])
    assert [fate == "kept" for fate in fates] == [late_clue.solved(row) for row in names["clues"]]
    assert sum(fate in ("kept", "lost") for fate in fates) == len(names["waits"])
    assert sum(fate != "below" for fate in fates) == sum(update is not None for update in names["crossed"])


@pytest.mark.parametrize(("chunk", "lag"), [(4, 2), (8, 8), (9, 8), (5, 1), (12, 3)])
def test_chunks_credit_what_truncated_backpropagation_reaches(chunk, lag):
    steps, layer = 12, unrolled.torch.RNN(1, 3, dtype=torch.float64)
    reached = np.zeros((steps, steps), bool)                                    # of the loss t, the input s
    for t in range(steps):
        x, counted = torch.ones(steps, 1, 1, dtype=torch.float64, requires_grad=True), torch.zeros(steps, 1, 1)
        counted[t] = 1
        gradients.truncated_bptt(layer, lambda output, counted: (output * counted).sum(), x, counted, chunk)
        reached[t] = x.grad[:, 0, 0] != 0
    credited = [t >= lag and bool(reached[t, t - lag]) for t in range(steps)]
    assert script("chunks", "credited", steps, chunk, lag) == credited
    assert script("chunks", "terms", steps, chunk) == {"all": steps * (steps + 1) // 2, "kept": reached.sum()}


def test_segments_need_as_many_states_as_the_page_prints(cells, capsys):
    exec(cells("checkpointing", "for segment in (2, 5"), {})
    printed = [(int(line.split(":")[0].split()[-1]), int(line.split()[-2]))
               for line in capsys.readouterr().out.splitlines()]
    assert printed == [(segment, script("segments", "states", 100, segment)) for segment, _ in printed]


@pytest.mark.parametrize(("steps", "segment"), [(9, 3), (10, 4), (5, 1)])
def test_segments_are_run_again_as_checkpoints_are(steps, segment):
    class Noted(unrolled.torch.RNN):
        def forward(self, x, state=None):
            runs.append(x[:, 0, 0].int().tolist())                              # each input is its step
            return super().forward(x, state)

    x, runs = torch.arange(1.0, steps + 1)[:, None, None], []
    checkpointed_bptt(Noted(1, 2), lambda output, target: (output - target).square().sum(), x, 0 * x, segment)
    again = runs[len(runs) // 2:]
    for at, run in enumerate(again):
        held = script("segments", "held", steps, segment, run[-1])
        assert held == script("segments", "held", steps, segment, run[0])
        assert held["again"] == run
        assert held["checkpoints"] == [other[-1] for other in runs[:len(again) - at]]
        assert sum(map(len, held.values())) <= script("segments", "states", steps, segment)


@pytest.mark.parametrize("U", [[[0.5, 2], [0, 0.5]], [[0.5, -1], [3, 0.5]]])
def test_transpose_has_the_numbers_of_autograd(U):
    old, weights = torch.tensor([0.5, -0.8], dtype=torch.float64, requires_grad=True), torch.tensor(U).double()
    a = weights @ old
    h = torch.tanh(a)
    a.retain_grad()
    h.retain_grad()
    h.square().sum().backward()
    expected = {"a": a, "h": h, "g": h.grad, "delta": a.grad, "back": old.grad}
    moments = script("transpose", "moments", U, old.tolist())
    found = {(moment["node"], moment["unit"]): moment["value"] for moment in moments}
    assert found == pytest.approx({(node, unit): values[unit].item() for node, values in expected.items()
                                   for unit in range(2)}, rel=1e-12)
    used = {(moment["node"], moment["unit"]): moment["entries"] for moment in moments if moment["entries"]}
    rows, columns = ({(node, unit): [[unit, 0], [unit, 1]] if node == "a" else [[0, unit], [1, unit]]
                      for unit in range(2)} for node in ("a", "back"))
    assert used == rows | columns
