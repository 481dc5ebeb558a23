"""What code written for the layers and cells of torch.nn leans on: it works here too, or says why not."""

import io
import pickle
import warnings

import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import PackedSequence

import unrolled.cudnn
import unrolled.torch

BACKENDS = {"torch": unrolled.torch, "cudnn": unrolled.cudnn}
KINDS = "RNN", "LSTM", "GRU"
LAYERS = [(backend, kind, fused) for backend in BACKENDS for kind in KINDS for fused in (False, True)
          if not fused or (backend == "torch" and kind != "RNN")]
every_layer = pytest.mark.parametrize("pair", LAYERS, indirect=True,
                                      ids=lambda case: "-".join(case[:2]) + "-fused" * case[2])
every_cell = pytest.mark.parametrize(("backend", "kind"), [(b, k + "Cell") for b in BACKENDS for k in KINDS])
torchscript = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@pytest.fixture
def pair(request):
    """One of ours and the library's, with the same weights."""
    backend, kind, fused = request.param
    torch.manual_seed(0)
    ours = getattr(BACKENDS[backend], kind)(2, 3, 2, bidirectional=True, **({"fused": True} if fused else {}))
    library = getattr(nn, kind)(2, 3, 2, bidirectional=True)
    ours.load_state_dict(library.state_dict())
    return ours, library


def two_cells(backend, kind):
    torch.manual_seed(0)
    ours, library = getattr(BACKENDS[backend], kind)(2, 3), getattr(nn, kind)(2, 3)
    ours.load_state_dict(library.state_dict())
    return ours, library


def h(result):
    return result[0] if isinstance(result, tuple) else result


close = torch.testing.assert_close


# Names, and the rest of nn.RNNBase


@every_layer
def test_a_layer_has_the_manners_of_the_librarys(pair):
    ours, library = pair
    x, state = torch.randn(5, 4, 2), torch.randn(4, 4, 3)
    state = (state, 2 * state) if library.mode == "LSTM" else state
    close(ours(input=x, hx=state), library(input=x, hx=state))
    assert ours.flatten_parameters() is None
    assert (ours.mode, ours.proj_size) == (library.mode, library.proj_size)
    close(ours.all_weights, library.all_weights)
    close(ours._flat_weights, library._flat_weights)
    assert isinstance(ours, nn.RNNBase)
    close(pickle.loads(pickle.dumps(ours))(x), library(x))


@every_cell
def test_a_cell_has_the_manners_of_the_librarys(backend, kind):
    ours, library = two_cells(backend, kind)
    x, state = torch.randn(4, 2), torch.randn(4, 3)
    state = (state, 2 * state) if kind == "LSTMCell" else state
    close(ours(input=x, hx=state), library(input=x, hx=state))
    assert isinstance(ours, getattr(nn, kind))


@pytest.mark.parametrize("kind", [*KINDS, *(kind + "Cell" for kind in KINDS)])
def test_parameters_drawn_anew_are_the_librarys(kind):
    ours, library = getattr(unrolled.torch, kind)(2, 3), getattr(nn, kind)(2, 3)
    for layer in (ours, library):
        torch.manual_seed(3)
        layer.reset_parameters()
    close(dict(ours.named_parameters()), dict(library.named_parameters()), rtol=0, atol=0)


def test_parameters_drawn_anew_start_as_the_options_say():
    layer = unrolled.torch.LSTM(2, 3, forget_bias=2.0, layer_norm=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(7)
    layer.reset_parameters()
    assert (layer.bias_ih_l0[3:6] == 2).all()
    assert (layer.norm_c_l0 == 1).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_dropout_with_one_layer_warns_as_the_library_does(backend, kind):
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last") as expected:
        getattr(nn, kind)(2, 3, dropout=0.5)
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last") as got:
        getattr(BACKENDS[backend], kind)(2, 3, dropout=0.5)
    assert [str(one.message) for one in got] == [str(one.message) for one in expected]


# Sizes of zero


@every_layer
def test_a_batch_of_none_has_no_outputs_and_no_gradients(pair):
    for layer in pair:
        x = torch.zeros(5, 0, 2, requires_grad=True)
        output, final = layer(x)
        output.sum().backward()
        assert output.shape == (5, 0, 6)
        assert h(final).shape == (4, 0, 3)
        assert x.grad.shape == x.shape
        assert all((parameter.grad == 0).all() for parameter in layer.parameters())


@every_cell
def test_a_cell_may_have_no_sequences_and_no_units(backend, kind):
    for make in (getattr(BACKENDS[backend], kind), getattr(nn, kind)):
        assert h(make(2, 3)(torch.zeros(0, 2))).shape == (0, 3)
        assert h(make(2, 0)(torch.zeros(4, 2))).shape == (4, 0)


# What is refused is refused with the library's kind of error, and ours


@every_layer
@pytest.mark.parametrize("x", [torch.zeros(0, 4, 2), torch.zeros(5, 4, 3), torch.zeros(5, 4, 2, device="meta")],
                         ids=["no steps", "width", "device"])
def test_what_torch_nn_calls_a_runtime_error_is_one(pair, x):
    with pytest.raises(RuntimeError):
        pair[0](x)
    with pytest.raises(ValueError, match="input must "):
        pair[0](x)


WRONG_PACKS = {
    "rising": (3, torch.tensor([1, 2])), "starts at none": (3, torch.tensor([0, 2, 1])),
    "ends at none": (3, torch.tensor([2, 1, 0])), "no steps": (0, torch.zeros(0, dtype=torch.int64)),
    "negative": (3, torch.tensor([4, -1])), "too few": (4, torch.tensor([2, 1])), "too many": (2, torch.tensor([2, 1])),
    "int32": (3, torch.tensor([2, 1], dtype=torch.int32)), "floats": (3, torch.tensor([2.0, 1.0])),
    "two axes": (3, torch.tensor([[2, 1]])), "no axis": (3, torch.tensor(3)),
    "an order of fewer": (3, torch.tensor([2, 1]), torch.tensor([0])),
    "an order beyond": (3, torch.tensor([2, 1]), torch.tensor([0, 5])),
    "an order of floats": (3, torch.tensor([2, 1]), torch.tensor([0.0, 1.0])),
}


@every_layer
@pytest.mark.parametrize("case", WRONG_PACKS)
def test_a_pack_that_cannot_be_is_refused(pair, case):
    rows, batch_sizes, *order = WRONG_PACKS[case]
    order = order[0] if order else None
    state = torch.zeros(4, 2, 3)
    state = (state, state) if pair[1].mode == "LSTM" else state
    pack = PackedSequence(torch.randn(rows, 2), batch_sizes, order, order)
    with pytest.raises(RuntimeError):
        pair[0](pack, state)


# Parameters that are not plain parameters


CHANGES = {
    "shared biases": lambda m, s: setattr(m, "bias_hh" + s, getattr(m, "bias_ih" + s)),
    "pruned bias": lambda m, s: prune.l1_unstructured(m, "bias_hh" + s, 1),
    "pruned weight": lambda m, s: prune.l1_unstructured(m, "weight_hh" + s, 3),
    "weight norm": lambda m, s: parametrizations.weight_norm(m, "weight_hh" + s),
    "spectral norm": lambda m, s: parametrizations.spectral_norm(m.eval(), "weight_ih" + s),
    "orthogonal": lambda m, s: parametrizations.orthogonal(m, "weight_hh" + s),
    "buffer": lambda m, s: m.register_buffer("steps_seen", torch.ones(2)),
}


def assert_the_same_after(change, suffix, ours, library, x):
    for layer in (ours, library):
        torch.manual_seed(1)
        change(layer, suffix)
    close(h(ours(x)), h(library(x)))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    ours.load_state_dict(library.state_dict())
    ours.load_state_dict(before)
    close(h(ours(x)), h(library(x)))


@every_cell
@pytest.mark.parametrize("change", CHANGES)
def test_a_cell_reads_the_parameters_that_it_has_now(backend, kind, change):
    assert_the_same_after(CHANGES[change], "", *two_cells(backend, kind), torch.randn(4, 2))


@pytest.mark.parametrize("pair", [case for case in LAYERS if case[0] == "torch"], indirect=True, ids=str)
@pytest.mark.parametrize("change", CHANGES)
def test_a_layer_reads_the_parameters_that_it_has_now(pair, change):
    assert_the_same_after(CHANGES[change], "_l0", *pair, torch.randn(5, 4, 2))


@every_cell
def test_one_tensor_under_two_names_counts_twice(backend, kind):
    ours, library = two_cells(backend, kind)
    both = dict.fromkeys(("bias_ih", "bias_hh"), torch.randn_like(ours.bias_ih))
    x = torch.randn(4, 2)
    close(torch.func.functional_call(ours, both, (x,)), torch.func.functional_call(library, both, (x,)))


@every_layer
def test_tied_directions_load_their_own_state_dict(pair):
    ours, _ = pair
    ours.weight_ih_l0_reverse = ours.weight_ih_l0
    ours.load_state_dict(ours.state_dict())


@every_layer
def test_a_hook_may_rename_what_is_loaded(pair):
    ours, library = pair

    def rename(module, state_dict, prefix, *_):
        for name in list(state_dict):
            state_dict[name.removeprefix("old.")] = state_dict.pop(name)

    ours.reset_parameters()
    ours.register_load_state_dict_pre_hook(rename)
    ours.load_state_dict({"old." + name: value for name, value in library.state_dict().items()})
    close(ours.state_dict(), library.state_dict())


# Those who look for layers of torch.nn


@torchscript
@every_layer
def test_torchscript_takes_the_librarys_twin(pair):
    ours, library = pair
    x = torch.randn(7, 4, 2)
    close(h(torch.jit.script(nn.Sequential(ours))(x)), h(library(x)))


@torchscript
def test_torchscript_of_a_layer_that_torch_nn_does_not_have_is_refused():
    for layer, said in ((unrolled.torch.LSTM(2, 3, peephole=True), "torch.nn has no LSTM with peephole=True"),
                        (unrolled.torch.GRU(2, 3, reset_after=False), "torch.nn has no GRU with reset_after=False"),
                        (unrolled.torch.MinGRU(2, 3), "torch.nn has no MinGRU")):
        with pytest.raises(TypeError, match=said):
            torch.jit.script(layer)


@every_layer
def test_onnx_gets_one_node_for_any_number_of_steps(pair):
    ours, library = pair
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                                    # about the exporter's age
        torch.onnx.export(ours.eval(), (torch.randn(5, 4, 2),), file, dynamo=False, input_names=["x"],
                          dynamic_axes={"x": {0: "T", 1: "B"}})
    x = torch.randn(9, 3, 2)
    output = onnxruntime.InferenceSession(file.getvalue()).run(None, {"x": x.numpy()})[0]
    close(torch.from_numpy(output), library(x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@every_layer
def test_a_quantiser_does_not_pass_by_in_silence(pair):
    ours, library = pair
    with pytest.warns(UserWarning, match="is not quantised and stays in floating point"):
        torch.ao.quantization.quantize_dynamic(nn.Sequential(ours), {type(library)})
    with pytest.raises(NotImplementedError, match="cannot be quantised: put its twin, layer.library()"):
        torch.ao.quantization.quantize_dynamic(nn.Sequential(ours), {type(ours)})


@every_layer
def test_the_twin_of_torch_nn_shares_the_parameters(pair):
    ours, library = pair
    twin = ours.eval().library()
    assert type(twin) is type(library)
    assert not twin.training
    for name, parameter in ours.named_parameters():
        assert getattr(twin, name) is parameter


# Mixed precision


@pytest.mark.parametrize("pair", [case for case in LAYERS if case[0] == "torch"], indirect=True, ids=str)
@pytest.mark.parametrize("given", [None, torch.float32, torch.bfloat16], ids=str)
def test_mixed_precision_gives_the_librarys_types(pair, given):
    x = torch.randn(5, 4, 2)
    state = None if given is None else torch.zeros(4, 4, 3, dtype=given)
    state = (state, state) if given and pair[1].mode == "LSTM" else state
    types = []
    for layer in pair:
        with torch.autocast("cpu", torch.bfloat16):
            try:
                output, final = layer(x, state)
            except RuntimeError as error:                       # oneDNN on a processor without AVX2
                pytest.skip(f"the library has no bfloat16 here: {error}"[:80])
        types.append([output.dtype, *(part.dtype for part in (final if isinstance(final, tuple) else (final,)))])
    assert types[0] == types[1]
