"""Attention, its layers and stacks in the hands of PyTorch's tools: traced, exported, compiled, copied, wrapped."""

import copy
import io
import pickle
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

from unrolled.torch import (
    TCN,
    CausalTransformer,
    EncoderDecoder,
    GeneralAttention,
    LayerNorm,
    LearnedPositions,
    MultiheadAttention,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)

POSITIONS = [None, "sinusoidal", "learned", "rotary", "alibi"]
MODELS = {f"causal, {positions}": (CausalTransformer, (8, 2, 2), {
    "positions": positions, "max_len": 12 if positions == "learned" else None}) for positions in POSITIONS}
MODELS |= {"norm": (LayerNorm, (8,), {}), "attention": (MultiheadAttention, (8, 2), {}),
           "encoder": (TransformerEncoderLayer, (8, 2, 16, 0.0), {}),
           "decoder": (TransformerDecoderLayer, (8, 2, 16, 0.0), {})}
CASES = pytest.mark.parametrize(("name", "fused"), [(name, fused) for name in MODELS for fused in (False, True)] +
                                [("tcn", None)])
# What torch.nn itself cannot: forward derivatives through its kernel. It says so.
pytestmark = pytest.mark.filterwarnings("ignore")


class Alone(nn.Module):
    """A model with one output: what comes first."""

    def __init__(self, name, fused):
        super().__init__()
        torch.manual_seed(0)
        kind, arguments, options = MODELS.get(name, (TCN, (8, 8, 2), {}))
        self.model = kind(*arguments, **options, **({} if fused is None else {"fused": fused})).eval()
        self.inputs = {"attention": 3, "decoder": 2}.get(name, 1)

    def forward(self, *x):
        output = self.model(*x)
        return output[0] if isinstance(output, tuple) else output

    def example(self, T, B):
        return tuple(torch.randn(T, B, 8) for _ in range(self.inputs))


def assert_same(ran, model, sizes=((5, 2), (8, 3), (1, 1))):
    for T, B in sizes:
        x = model.example(T, B)
        assert torch.allclose(ran(*x), model(*x), atol=1e-5), (T, B)


@CASES
def test_a_trace_holds_for_any_number_of_steps_and_sequences(name, fused):
    model = Alone(name, fused)
    assert_same(torch.jit.trace(model, model.example(5, 2), check_trace=False), model)
    if "causal" in name:                                             # with its cache, too
        traced = torch.jit.trace(model.model, model.example(5, 2), check_trace=False)
        x, = model.example(7, 3)
        assert torch.allclose(traced(x)[1][1][0], model.model(x)[1][1][0], atol=1e-5)


@CASES
def test_onnx_with_free_axes(name, fused):
    session = pytest.importorskip("onnxruntime").InferenceSession
    model, file = Alone(name, fused), io.BytesIO()
    names = [f"input {n}" for n in range(model.inputs)]
    axes = {one: {0: f"steps of {one}" if name == "decoder" else "steps", 1: "batch"} for one in names}
    torch.onnx.export(model, model.example(5, 2), file, dynamo=False, input_names=names, dynamic_axes=axes,
                      opset_version=17)
    run = session(file.getvalue()).run

    def ran(*x):
        given = {one: part.numpy() for one, part in zip(names, x)}
        return torch.from_numpy(run(None, given)[0])

    assert_same(ran, model)


@pytest.mark.parametrize(("name", "fused"), [("attention", False), ("decoder", True), ("encoder", False), ("tcn", None),
                                             ("causal, sinusoidal", True), ("causal, alibi", False)])
def test_export_with_free_axes(name, fused):
    model = Alone(name, fused)
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    program = torch.export.export(model, model.example(5, 2), dynamic_shapes=((free,) * model.inputs,))
    assert_same(program.module(), model, ((5, 2), (8, 3)))


@pytest.mark.parametrize(("name", "fused"), [("norm", False), ("decoder", False), ("encoder", True),
                                             ("causal, learned", True), ("causal, rotary", False), ("tcn", None)])
def test_compiled_in_one_graph(name, fused):
    torch._dynamo.reset()
    model = Alone(name, fused)
    assert_same(torch.compile(model, fullgraph=True, backend="eager"), model, ((5, 2), (8, 3)))


@pytest.mark.parametrize("name", [*MODELS, "tcn"])
def test_script_says_what_it_cannot_and_what_can(refuses, name):
    model = Alone(name, None).model
    with refuses(TypeError, f"torch.jit.script cannot compile {type(model).__name__}"):
        torch.jit.script(model)
    with refuses(TypeError, "torch.compile, torch.export and torch.jit.trace take it"):
        torch.jit.script(nn.Sequential(model))


@CASES
def test_copies_are_equal(name, fused):
    model = Alone(name, fused)
    for other in copy.deepcopy(model), pickle.loads(pickle.dumps(model)):
        x = model.example(4, 2)
        assert torch.equal(other(*x), model(*x))
        assert other.state_dict().keys() == model.state_dict().keys()


@CASES
def test_many_at_once_and_on_no_device(name, fused):
    model = Alone(name, fused)
    x = [torch.stack([part, 2 * part]) for part in model.example(4, 2)]
    assert torch.allclose(torch.vmap(model)(*x)[1], model(*(part[1] for part in x)), atol=1e-5)
    assert model.to("meta")(*(part.to("meta") for part in model.example(4, 2))).shape == (4, 2, 8)


@pytest.mark.parametrize("activation", ["relu", "gelu", F.relu, F.gelu, F.silu, torch.tanh, nn.GELU(), nn.PReLU(),
                                        lambda x: F.gelu(x, approximate="tanh")],
                         ids=["named relu", "named gelu", "relu", "gelu", "silu", "tanh", "module", "weight",
                              "lambda"])
@pytest.mark.parametrize(("ours", "library"), [(TransformerEncoderLayer, nn.TransformerEncoderLayer),
                                               (TransformerDecoderLayer, nn.TransformerDecoderLayer)])
def test_any_activation(agree, ours, library, activation):
    mine, theirs = (kind(8, 2, 8, 0.0, activation, dtype=torch.float64) for kind in (ours, library))
    if isinstance(activation, nn.PReLU):                             # one module in both
        mine.double()
    x = [torch.randn(3, 2, 8, dtype=torch.float64)] * (2 if ours is TransformerDecoderLayer else 1)
    agree(lambda layer, *x: layer(*x), mine, theirs, *x)
    repr(mine)


def test_what_is_no_activation_is_refused(refuses):
    for activation in "tanh", None, 3:
        with refuses(ValueError, "activation must be one of 'relu', 'gelu'"):
            TransformerEncoderLayer(8, 2, activation=activation)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("masks", ["none", "padding", "causal", "both"])
def test_torch_nns_encoder_around_our_layer_put_in_the_place_of_its_own(monkeypatch, fused, training, nested, masks):
    torch.manual_seed(0)
    library = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True), 2,
                                    enable_nested_tensor=False)
    monkeypatch.setattr(nn, "TransformerEncoderLayer", TransformerEncoderLayer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                              # that it does not use nested tensors
        ours = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, 0.0, batch_first=True, fused=fused), 2,
                                     enable_nested_tensor=nested)
    ours.load_state_dict(library.state_dict())
    x, padding = torch.randn(3, 5, 8), torch.arange(5) >= torch.tensor([[5], [3], [1]])
    options = {"src_key_padding_mask": padding} if masks in ("padding", "both") else {}
    if masks in ("causal", "both"):
        options |= {"mask": torch.ones(5, 5, dtype=torch.bool).triu(1)}
    with torch.set_grad_enabled(training):
        got, expected = (stack.train(training)(x, **options) for stack in (ours, library))
    real = ~padding if "src_key_padding_mask" in options else torch.ones(3, 5, dtype=torch.bool)
    assert torch.allclose(got[real], expected[real], atol=1e-5)


@pytest.mark.parametrize("layer", [MultiheadAttention(8, 2), TransformerEncoderLayer(8, 2), LayerNorm(8)], ids=str)
def test_nested_tensors_are_refused(refuses, layer):
    x = torch.nested.nested_tensor([torch.zeros(2, 8), torch.zeros(3, 8)])
    with refuses(TypeError, "must be one dense tensor, got a nested one"):
        layer(x, x, x) if isinstance(layer, MultiheadAttention) else layer(x)


def tied(model):
    model.linear1.weight = nn.Parameter(model.linear2.weight.detach().T.contiguous())
    model.linear3 = nn.Linear(16, 8)
    model.linear3.weight = model.linear2.weight
    return model


CHANGES = {
    "a buffer": lambda model: model.register_buffer("count", torch.ones(3)) or model,
    "spectral norm": lambda model: parametrizations.spectral_norm(model.self_attn, "in_proj_weight") and model,
    "weight norm": lambda model: parametrizations.weight_norm(model.linear1) and model,
    "an orthogonal matrix": lambda model: parametrizations.orthogonal(model.self_attn.out_proj) and model,
    "a pruned matrix": lambda model: prune.random_unstructured(model.self_attn, "in_proj_weight", 0.5) and model,
    "a pruned gain": lambda model: prune.random_unstructured(model.norm1, "weight", 0.5) and model,
    "a tied matrix": tied,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_layer_loads_its_own_state_dict(change):
    torch.manual_seed(0)
    first, second = (CHANGES[change](TransformerEncoderLayer(8, 2, 16, 0.0)).eval() for _ in range(2))
    x = torch.randn(3, 2, 8)
    second.load_state_dict(first.state_dict())
    assert torch.allclose(second(x), first(x), atol=1e-6)


@pytest.mark.parametrize("layer", [LayerNorm(4), LearnedPositions(3, 4), GeneralAttention(4, 4),
                                   MultiheadAttention(4, 1)], ids=str)
def test_parameters_can_be_drawn_anew(layer):
    torch.manual_seed(0)
    again = copy.deepcopy(layer)
    for parameter in again.parameters():
        nn.init.constant_(parameter, 7.0)
    for one in layer, again:
        torch.manual_seed(1)
        getattr(one, "reset_parameters", getattr(one, "_reset_parameters", None))()
    for (name, got), expected in zip(again.named_parameters(), layer.parameters()):
        assert torch.equal(got, expected) or name == "out_proj.weight", name         # nor does torch.nn draw that


@pytest.mark.parametrize(("call", "error"), [
    (lambda layer, x: layer(x[..., :4], x, x), AssertionError),
    (lambda layer, x: layer(x, x[:, :1], x), AssertionError),
    (lambda layer, x: layer(x, x, x, attn_mask=torch.zeros(2, 3)), RuntimeError),
    (lambda layer, x: layer(x, x, x, torch.zeros(1, 3)), RuntimeError)])
def test_what_does_not_fit_is_also_the_error_that_torch_nn_raises(call, error):
    x = torch.zeros(3, 2, 8)
    for layer in MultiheadAttention(8, 2), nn.MultiheadAttention(8, 2):
        with pytest.raises((error, AssertionError, RuntimeError)):
            call(layer, x)
    with pytest.raises(ValueError, match="must have shape"):
        call(MultiheadAttention(8, 2), x)
    with pytest.raises(error):
        call(MultiheadAttention(8, 2), x)


def test_prepared_keys_of_one_sequence_do_not_stand_for_all(refuses):
    layer, query, keys = GeneralAttention(4, 4), torch.zeros(2, 3, 4), torch.zeros(2, 5, 4)
    assert layer(query, keys, prepared=layer.prepare(keys))[0].shape == (2, 3, 4)
    for prepared in (layer.prepare(keys[:1]), layer.prepare(keys)[..., :1], layer.prepare(keys[:, :1])):
        with refuses(ValueError, "prepared must have shape (2, 5, 4)"):
            layer(query, keys, prepared=prepared)


@pytest.mark.parametrize("kind", [None, "additive", "general", "concat"])
def test_a_parameter_of_a_score_that_would_broadcast_is_refused(kind):
    model = EncoderDecoder(4, 4, 6, 6, kind)
    for name, parameter in model.attention.named_parameters() if kind else ():
        shape = (1,) * parameter.dim()
        with pytest.raises(ValueError, match=f"{name} must have shape"):
            torch.func.functional_call(model.attention, {name: torch.ones(shape)},
                                       (torch.zeros(2, 3, 6), torch.zeros(2, 5, 6)))
