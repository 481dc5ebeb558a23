"""The numbers of the figures to touch of the chapter on the LSTM, compared with the package and with torch."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.site.test_touch import script
from torch import nn
from torch.nn.utils import rnn

import unrolled.numpy
from unrolled import studies
from unrolled.studies import characters, long_memory

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

TAKES = {"output[-1]": lambda output, h_n: output[-1, 0], "output[0]": lambda output, h_n: output[0, 0],
         "h_n[-1]": lambda output, h_n: h_n[-1, 0], "h_n[0]": lambda output, h_n: h_n[0, 0],
         "cat([h_n[-2], h_n[-1]])": lambda output, h_n: torch.cat([h_n[-2, 0], h_n[-1, 0]])}


@pytest.mark.parametrize("expression", TAKES)
@pytest.mark.parametrize(("layers", "directions", "padding", "packed"),
                         [(1, 1, 0, False), (1, 2, 0, False), (1, 2, 2, True), (2, 2, 3, False), (2, 1, 2, True),
                          (2, 2, 1, True), (1, 1, 3, False)])
def test_returned_takes_what_the_library_returns(expression, layers, directions, padding, packed):
    found = script("returned", "taken", expression, layers, directions, padding, packed)
    if layers * directions == 1 and expression.startswith("cat"):
        assert found[0] is None                                 # there is no h_n[-2]
        return
    torch.manual_seed(0)
    layer = nn.LSTM(2, 3, layers, bidirectional=directions == 2)
    x = torch.randn(6, 2, 2, requires_grad=True)                # beside it a sequence without padding
    given = rnn.pack_padded_sequence(x, torch.tensor([6 - padding, 6]), enforce_sorted=False) if packed else x
    output, (h_n, _) = layer(given)
    output = rnn.pad_packed_sequence(output)[0] if packed else output
    states = TAKES[expression](output, h_n).split(3)
    assert len(states) == len(found)
    for state, told in zip(states, found):
        [gradient] = torch.autograd.grad(state.sum(), x, retain_graph=True)
        read = (1 + gradient[:, 0].abs().sum(-1).nonzero()[:, 0]).tolist()
        if told["read"] is None:
            assert not read
            assert not state.any()
        else:
            first, last = told["read"]
            assert read == list(range(first, last + 1))
            place = (told["layer"] - 1) * directions + told["direction"]
            if told["layer"] == layers:
                half = output[told["step"] - 1, 0].split(3)[told["direction"]]
                torch.testing.assert_close(state, half)
            else:
                torch.testing.assert_close(state, h_n[place, 0])


def one_unit(forget_bias, u, input_bias=-2):
    """The page's unit: i = sigma(4x - 2), f = sigma(2), g = tanh(2x + u h), o = sigma(1)."""
    unit = nn.LSTMCell(1, 1, dtype=torch.float64)
    unit.load_state_dict({"weight_ih": torch.tensor([[4.0], [0], [2], [0]]), "bias_hh": torch.zeros(4),
                          "weight_hh": torch.tensor([[0.0], [0], [u], [0]]),
                          "bias_ih": torch.tensor([input_bias, forget_bias, 0.0, 1.0])})
    return unit


@pytest.mark.parametrize(("bias", "u"), [(2, 1), (-4, 8), (6, -3), (0, 0)])
def test_blame_is_what_autograd_finds(bias, u):
    unit, state, nodes = one_unit(bias, u), [torch.zeros(1, 1, dtype=torch.float64)] * 2, []
    for x in (1.0, 0.0, 0.0):
        state = unit(torch.full((1, 1), x, dtype=torch.float64), tuple(state))
        nodes.append(state)
    steps = script("blame", "forward", [1, 0, 0], bias, u)
    np.testing.assert_allclose([(step["h"], step["c"]) for step in steps], [(h.item(), c.item()) for h, c in nodes],
                               rtol=1e-12)
    by_h, by_c = (torch.autograd.grad(nodes[-1][0].sum(), [pair[k] for pair in nodes], retain_graph=True)
                  for k in (0, 1))
    found = script("blame", "backward", steps, u)
    np.testing.assert_allclose([node["dh"] for node in found], torch.cat(by_h).flatten(), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose([node["dc"] for node in found], torch.cat(by_c).flatten(), rtol=1e-12)
    np.testing.assert_allclose([node["along"] + node["through"] for node in found], torch.cat(by_c).flatten(),
                               rtol=1e-12)


@pytest.mark.parametrize(("forget_bias", "input_bias", "u"),
                         [(2, -2, 1), (2, -4, 1), (-6, 6, 8), (5, 0, -3), (0, 1, 0)])
def test_roads_are_what_autograd_finds_with_the_first_state_held(forget_bias, input_bias, u):
    unit, zero = one_unit(forget_bias, u, input_bias), torch.zeros(1, 1, dtype=torch.float64)
    h, c = unit(zero + 1, (zero, zero))
    h, first = h.detach(), c.detach().requires_grad_()
    c, whole = first, []
    for _ in range(20):
        h, c = unit(zero, (h, c))
        whole.append(torch.autograd.grad(c.sum(), first, retain_graph=True)[0].item())
    found = script("roads", "reach", forget_bias, input_bias, u, 20)
    np.testing.assert_allclose(found["whole"], whole, rtol=1e-11)
    f = 1 / (1 + np.exp(-float(forget_bias)))
    np.testing.assert_allclose(found["straight"], f ** np.arange(1, 21), rtol=1e-12)


@pytest.mark.parametrize("f", [1, 0, 0.5])
@pytest.mark.parametrize("add", [1, 0.5, 0.1])
def test_counting_is_a_cell_whose_gates_are_held(f, add):
    log, most = "ppTp.p..pp..p.pp.Tp.p.p." * 4, 800.0               # so far open that a gate is 1 in every digit
    unit = unrolled.numpy.LSTMCell(2, 1, dtype=np.float64)
    at_change = {1: most, 0: -most, 0.5: 0.0}[f]
    part = most if add == 1 else np.arctanh(add)
    taken = -most if f == 1 else 0
    unit.load_state_dict({"weight_ih": np.array([[0, 0], [0, at_change - most], [part, taken], [0, 0]]),
                          "weight_hh": np.zeros((4, 1)), "bias_hh": np.zeros(4),
                          "bias_ih": np.array([most, most, 0.0, 0.0])})
    h, c, cells, counts = np.zeros(1), np.zeros(1), [], [0]
    for event in log:
        h, c = unit.forward(np.array([event == "p", event == "T"], float), (h, c))
        cells.append(c[0])
        counts.append(0 if event == "T" else counts[-1] + (event == "p"))
    np.testing.assert_allclose(script("counting", "cell", log, f, add), cells, rtol=1e-12, atol=1e-12)
    assert script("counting", "wanted", log) == counts[1:]


def test_budget_counts_the_seeds_that_had_solved_it_by_then():
    rows = long_memory.scored(studies.rows("long-memory"))
    summary = long_memory.summary(rows)
    for network, lag in itertools.product(long_memory.MODELS, (10, 30)):
        runs = [row for row in rows if (row["model"], row["lag"]) == (network, lag)]
        needed = [row["updates"] if row["solved"] else None for row in runs]
        by_then = [script("budget", "solved", needed, budget) for budget in (25, long_memory.UPDATES)]
        assert by_then[1] == summary["delayed recall", network, lag][1]
        assert by_then[0] == sum(row["solved"] and row["updates"] <= 25 for row in runs)


def test_text_is_laid_out_in_rows_that_hold_every_letter_once():
    text = "if x:\n    y = 1\n\nabcdefgh"
    rows = ["if x:\n", "    y ", "= 1\n", "\n", "abcdef", "gh"]
    places = script("text", "places", text, 6)
    assert places == [[row, column] for row, letters in enumerate(rows) for column in range(len(letters))]


@pytest.mark.parametrize(("shares", "part"), [([0, 100, 300, 600], 0.9), ([1000], 0.9), ([500, 0, 0, 500], 0.6),
                                              ([7, 1, 9, 3, 80], 0.5)])
def test_text_counts_the_last_letters_that_hold_a_share(shares, part):
    sums = np.cumsum(shares[::-1])
    assert script("text", "last", shares, part) == 1 + np.flatnonzero(sums >= part * sums[-1])[0]


@pytest.mark.parametrize("page", ["text", "gates"])
def test_shares_of_the_gradient_are_those_of_each_prediction_alone(page):
    cells = json.loads((Path(__file__).parents[2] / f"book/lstm/{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    source, = (source for cell in cells if "def holds(" in (source := "".join(cell["source"])))
    exec(source.partition("\n\n")[0], found := {"torch": torch})
    model, codes = characters.untrained(0, 8), torch.tensor([5, 80, 3, 3, 41, 7])
    shares, p = found["holds"](model, codes)
    for t in range(5):
        x = model.embed(codes[: t + 1])[:, None].detach().requires_grad_()
        log_p = model.readout(model.layer(x)[0])[-1, 0].log_softmax(0)[codes[t + 1]]
        norms = torch.autograd.grad(log_p, x)[0][:, 0].norm(dim=-1)
        torch.testing.assert_close(shares[t, : t + 1], norms / norms.sum())
        assert not shares[t, t + 1 :].any()
        torch.testing.assert_close(p[t], log_p.exp())
