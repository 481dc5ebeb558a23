"""The page "Use it in your own project": its code runs, and each cell of its table is what is found here.

A cell of the table is "yes" where the layers do what those of `torch.nn` do, and "no" where they raise an error. A
number that is not the library's would be neither, and fails.
"""

import copy
import inspect
import io
import pickle
import re

import numpy as np
import pytest
import torch
from notebook_form import ROOT
from torch import nn
from torch.nn.utils import parametrizations, rnn
from torch.utils import checkpoint

import unrolled.cudnn
import unrolled.torch

TEXT = (ROOT / "book/use.md").read_text(encoding="utf-8")
REFUSED = (RuntimeError, TypeError, ValueError, AttributeError, torch.jit.frontend.FrontendError,
           torch._dynamo.exc.TorchDynamoException)
COLUMNS = {
    "`unrolled.torch`": (unrolled.torch, {}), "… `fused=True`": (unrolled.torch, {"fused": True}),
    "`unrolled.cudnn`": (unrolled.cudnn, {}),
}


def normal(*shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def pair(module, options, kind, dtype=torch.float64, **library):
    """One of our layers and the library's, with the same weights; fused or not, if the layer can be."""
    theirs = getattr(nn, kind)(3, 4, **library, dtype=dtype)
    ours = getattr(module, kind)(3, 4, **library, **(options if kind != "RNN" else {}), dtype=dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def leaves(results):
    if isinstance(results, rnn.PackedSequence):
        return [results.data]
    return [results] if torch.is_tensor(results) else [leaf for one in results for leaf in leaves(one)]


def same(got, expected, tolerance=1e-10):
    for one, other in zip(leaves(got), leaves(expected), strict=True):
        assert one.dtype == other.dtype
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


def gradients(layer, *arguments):
    sum(leaf.square().sum() for leaf in leaves(layer(*arguments))).backward()
    return [parameter.grad for parameter in layer.parameters()]


def state_of(kind, *shape):
    return (normal(*shape), normal(*shape)) if kind == "LSTM" else normal(*shape)


# What a user does with a layer of torch.nn. Each takes our layer, the library's with the same weights, and their kind.


def weights_both_ways(ours, theirs, kind):
    theirs.load_state_dict(ours.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    same(gradients(ours, normal(5, 2, 3)), gradients(theirs, normal(5, 2, 3)))


def initial_state(ours, theirs, kind):
    same(ours(normal(5, 2, 3), state_of(kind, 1, 2, 4)), theirs(normal(5, 2, 3), state_of(kind, 1, 2, 4)))
    same(ours(normal(5, 3), state_of(kind, 1, 4)), theirs(normal(5, 3), state_of(kind, 1, 4)))


def packed(ours, theirs, kind):
    sequences = rnn.pack_sequence([normal(3, 3), normal(5, 3), normal(1, 3)], enforce_sorted=False)
    same(ours(sequences), theirs(sequences))


def copied(ours, theirs, kind):
    file = io.BytesIO()
    torch.save(ours, file)
    file.seek(0)
    for twin in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours)), torch.load(file, weights_only=False)):
        same(twin(normal(5, 2, 3)), theirs(normal(5, 2, 3)))


def checkpointed(ours, theirs, kind):
    x = normal(5, 2, 3).requires_grad_()
    checkpoint.checkpoint(ours, x, use_reentrant=False)[0].sum().backward()
    got = [p.grad for p in ours.parameters()]
    theirs(x)[0].sum().backward()
    same(got, [p.grad for p in theirs.parameters()])


def with_weight_norm(ours, theirs, kind):
    for layer in (ours, theirs):
        parametrizations.weight_norm(layer, "weight_hh_l0")
    same(ours(normal(5, 2, 3)), theirs(normal(5, 2, 3)))
    ours.load_state_dict(theirs.state_dict())


def keyword_hx(ours, theirs, kind):
    state = state_of(kind, 1, 2, 4)
    same(ours(normal(5, 2, 3), hx=state), theirs(normal(5, 2, 3), hx=state))


def flatten(ours, theirs, kind):
    ours.flatten_parameters()
    same(ours(normal(5, 2, 3)), theirs(normal(5, 2, 3)))


def reset(ours, theirs, kind):
    for layer in (ours, theirs):
        torch.manual_seed(3)
        layer.reset_parameters()
    same(ours(normal(5, 2, 3)), theirs(normal(5, 2, 3)))


def no_sequence(ours, theirs, kind):
    same(ours(normal(5, 0, 3)), theirs(normal(5, 0, 3)))


def is_instance(ours, theirs, kind):
    if not isinstance(ours, getattr(nn, kind)):
        raise TypeError


def second_derivatives(ours, theirs, kind):
    def penalty(layer):
        x = normal(5, 2, 3).requires_grad_()
        gradient, = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), list(layer.parameters()), allow_unused=True)

    same([g for g in penalty(ours) if g is not None], [g for g in penalty(theirs) if g is not None])


def vmapped(ours, theirs, kind):
    x = normal(6, 5, 2, 3)
    same(torch.func.vmap(lambda one: ours(one)[0])(x), torch.stack([theirs(one)[0] for one in x]))


def forward_mode(ours, theirs, kind):
    x, direction = normal(5, 2, 3), normal(5, 2, 3)
    _, got = torch.func.jvp(lambda x: ours(x)[0], (x,), (direction,))
    jacobian = torch.autograd.functional.jacobian(lambda x: theirs(x)[0], x)
    same(got, torch.einsum("abcdef,def->abc", jacobian, direction), 1e-9)


def compiled(ours, theirs, kind):
    with torch._dynamo.config.patch(allow_rnn=True):
        torch.compiler.reset()
        same(torch.compile(ours, fullgraph=True, backend="eager")(normal(5, 2, 3)), theirs(normal(5, 2, 3)))


def exported(ours, theirs, kind):
    program = torch.export.export(ours.eval(), (normal(5, 2, 3),), strict=False)
    same(program.module()(normal(5, 2, 3)), theirs(normal(5, 2, 3)))


def scripted(ours, theirs, kind):
    same(torch.jit.script(ours)(normal(5, 2, 3)), theirs(normal(5, 2, 3)))


ROWS = {
    "`state_dict` both ways, gradients of every weight": weights_both_ways,
    "initial states, without a batch": initial_state,
    "`PackedSequence`, in any order": packed,
    "`deepcopy`, `pickle`, `torch.save`": copied,
    "checkpointing": checkpointed,
    "`weight_norm` on a weight, and its `state_dict`": with_weight_norm,
    "`layer(x, hx=state)`": keyword_hx,
    "`flatten_parameters()`": flatten,
    "`reset_parameters()`": reset,
    "a batch of no sequences": no_sequence,
    "`isinstance(layer, nn.LSTM)`": is_instance,
    "second derivatives": second_derivatives,
    "`torch.func.vmap`": vmapped,
    "`torch.func.jvp`": forward_mode,
    "`torch.compile(fullgraph=True)`": compiled,
    "`torch.export`": exported,
    "`torch.jit.script`": scripted,
}


def found(check, module, options):
    """ "yes" if every kind of layer does as the library's, "no" if one raises an error; a wrong number fails."""
    for kind in ("RNN", "LSTM", "GRU"):
        ours, theirs = pair(module, options, kind)
        try:
            check(ours, theirs, kind)
        except REFUSED:
            return "no"
    return "yes"


def rows(text):
    """{first cell: the others} of the table that says what is drop-in."""
    lines = re.search(r"^\| what you do .*?\n\n", text, re.DOTALL | re.MULTILINE)[0].strip().split("\n")
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert table[0][1:] == list(COLUMNS)
    return {cells[0]: cells[1:] for cells in table[2:]}


@pytest.mark.filterwarnings("ignore")                       # torch.jit's end of life, the compiler's own deprecations
@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_table_is_what_is_found(name):
    assert rows(TEXT).get(name) == [found(ROWS[name], *column) for column in COLUMNS.values()]


def test_the_table_has_no_row_that_nobody_tried():
    assert list(rows(TEXT)) == list(ROWS)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_the_code_of_the_page_runs(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    names = {}
    for code in re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE):
        exec(compile(code, "book/use.md", "exec"), names)
    assert names["close"]


def test_options_that_the_page_names_are_options():
    for kind, name in re.findall(r"`(\w+)\((\w+)=", TEXT):
        if hasattr(unrolled.torch, kind):
            assert name in inspect.signature(getattr(unrolled.torch, kind)).parameters, (kind, name)
    assert np.all([hasattr(unrolled, name) for name in re.findall(r"`unrolled\.(\w+)`", TEXT) if name != "page"])
