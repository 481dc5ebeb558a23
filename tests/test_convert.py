"""Weights moved to Keras, ONNX, Flax and back: each library then computes what ours does, and the other way round."""

import importlib

import numpy as np
import onnx.helper
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

import unrolled.numpy
import unrolled.torch
from unrolled.convert import from_flax, from_keras, from_onnx, to_flax, to_keras, to_onnx

STACKS = st.fixed_dictionaries({
    "kind": st.sampled_from(["RNN", "LSTM", "GRU"]), "D": st.integers(1, 5), "H": st.integers(1, 5),
    "num_layers": st.integers(1, 3), "bidirectional": st.booleans(), "bias": st.booleans(),
})
# Of each kind, the options that are no weights: what each library must be told besides.
VARIANTS = {
    "RNN-tanh": ("RNN", {}), "RNN-relu": ("RNN", {"nonlinearity": "relu"}),
    "LSTM": ("LSTM", {}), "LSTM-peephole": ("LSTM", {"peephole": True}),
    "GRU-reset after": ("GRU", {}), "GRU-reset before": ("GRU", {"reset_after": False}),
}
IN_KERAS = [name for name in VARIANTS if name != "LSTM-peephole"]
DIRECTIONS = pytest.mark.parametrize("bidirectional", [False, True], ids=["one direction", "two directions"])
BIAS = pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
T, B, D, H = 6, 3, 4, 5


def normal(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape)


def make(kind, D=D, H=H, num_layers=2, seed=0, dtype=np.float64, **options):
    """One of our layers, with weights of the size that a trained layer has."""
    layer = getattr(unrolled.numpy, kind)(D, H, num_layers, dtype=np.float64, seed=seed, **options)
    draw = np.random.default_rng(seed)
    layer.load_state_dict({name: (draw.standard_normal(value.shape) / 2).astype(dtype)
                           for name, value in layer.state_dict().items()})
    return layer


def initial_state(layer, B=B, seed=2):
    """h_0, or of an LSTM (h_0, c_0), as the layer takes it."""
    shape = layer.num_layers * (1 + layer.bidirectional), B, layer.hidden_size
    parts = tuple(normal(*shape, seed=seed + k).astype(layer.dtype) for k in range(len(layer.state_names)))
    return parts if len(parts) > 1 else parts[0]


def flat(output, state):
    """The arrays that a layer returns, in one tuple."""
    return output, *(state if isinstance(state, tuple) else (state,))


def assert_equal(got, expected):
    assert list(got) == list(expected)
    for name, value in expected.items():
        assert np.array_equal(got[name], value), name
        assert got[name].dtype == value.dtype, name


# Keras


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    """Keras on torch; it keeps its settings file away from the home folder."""
    patch = pytest.MonkeyPatch()
    patch.setenv("KERAS_BACKEND", "torch")
    patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
    yield importlib.import_module("keras")
    patch.undo()


# Keras reads its weights with np.array, for which its variables have no `copy` yet.
reads_keras = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def keras_stack(keras, kind, D=D, H=H, num_layers=2, bidirectional=False, bias=True, **options):
    """The same stack in Keras, built. On torch it multiplies matrices in float32, whatever the dtype of its layers."""
    name = "SimpleRNN" if kind == "RNN" else kind
    if "nonlinearity" in options:
        options["activation"] = options.pop("nonlinearity")
    layers = []
    for number in range(num_layers):
        layer = getattr(keras.layers, name)(H, use_bias=bias, return_sequences=True, return_state=True, **options)
        layer = keras.layers.Bidirectional(layer) if bidirectional else layer
        layer.build((None, None, D if number == 0 else H * (1 + bidirectional)))
        layers.append(layer)
    return layers


def run_keras(layers, x, state):
    """Output and final states in our layout, (T, B, N·H) and (L·N, B, H); Keras has the batch first."""
    parts = state if isinstance(state, tuple) else (state,)
    rows, final = x.swapaxes(0, 1).copy(), []
    N = len(parts[0]) // len(layers)
    for number, layer in enumerate(layers):
        initial = [torch.from_numpy(part[number * N + direction]) for direction in range(N) for part in parts]
        rows, *states = layer(rows, initial_state=initial)
        final.append([state.detach().numpy() for state in states])
    by_part = [np.stack([states[k] for layer in final for states in (layer[: len(parts)], layer[len(parts):])
                         if states]) for k in range(len(parts))]
    return rows.detach().numpy().swapaxes(0, 1), *by_part


@reads_keras
@pytest.mark.parametrize("variant", IN_KERAS)
@BIAS
@DIRECTIONS
def test_keras_computes_what_ours_computes(keras, close, variant, bias, bidirectional):
    kind, options = VARIANTS[variant]
    layer = make(kind, bias=bias, bidirectional=bidirectional, dtype=np.float32, **options)
    theirs = keras_stack(keras, kind, bias=bias, bidirectional=bidirectional, **options)
    reset = {name: value for name, value in options.items() if name == "reset_after"}
    for taker, weights in zip(theirs, to_keras(layer.state_dict(), kind, **reset), strict=True):
        taker.set_weights(weights)
    x, state = normal(T, B, D).astype(np.float32), initial_state(layer)
    for got, expected in zip(run_keras(theirs, x, state), flat(*layer.forward(x, state)), strict=True):
        close(got, expected, 2e-6)


@reads_keras
@pytest.mark.parametrize("variant", IN_KERAS)
@BIAS
@DIRECTIONS
def test_ours_computes_what_keras_computes(keras, close, variant, bias, bidirectional):
    kind, options = VARIANTS[variant]
    theirs = keras_stack(keras, kind, bias=bias, bidirectional=bidirectional, **options)
    for number, layer in enumerate(theirs):
        layer.set_weights([normal(*array.shape, seed=number) / 2 for array in layer.get_weights()])
    reset = {name: value for name, value in options.items() if name == "reset_after"}
    layer = make(kind, bias=bias, bidirectional=bidirectional, dtype=np.float32, **options)
    layer.load_state_dict(from_keras([layer.get_weights() for layer in theirs], kind, **reset))
    x, state = normal(T, B, D).astype(np.float32), initial_state(layer)
    for got, expected in zip(flat(*layer.forward(x, state)), run_keras(theirs, x, state), strict=True):
        close(got, expected, 2e-6)


@reads_keras
@pytest.mark.parametrize("variant", IN_KERAS)
@pytest.mark.parametrize("return_sequences", [True, False], ids=["every state", "the last state"])
def test_a_layer_of_keras_that_goes_backwards_is_ours_of_the_flipped_input(keras, close, variant, return_sequences):
    kind, options = VARIANTS[variant]
    layer = make(kind, num_layers=1, dtype=np.float32, **options)
    reset = {name: value for name, value in options.items() if name == "reset_after"}
    theirs = keras.layers.SimpleRNN if kind == "RNN" else getattr(keras.layers, kind)
    options = {"activation": options["nonlinearity"]} if "nonlinearity" in options else options
    theirs = theirs(H, go_backwards=True, return_sequences=return_sequences, **options)
    theirs.build((None, None, D))
    theirs.set_weights(to_keras(layer.state_dict(), kind, **reset)[0])
    x = normal(T, B, D).astype(np.float32)
    got = theirs(torch.from_numpy(x.swapaxes(0, 1).copy())).detach().numpy()
    expected, _ = layer.forward(x[::-1])                    # the input is flipped, and what comes out is not
    close(got.swapaxes(0, 1) if return_sequences else got, expected if return_sequences else expected[-1], 2e-6)


@given(stack=STACKS, reset_after=st.booleans())
def test_keras_weights_come_back_as_they_were(stack, reset_after):
    weights = to_keras(make(**stack).state_dict(), stack["kind"], reset_after=reset_after)
    back = to_keras(from_keras(weights, stack["kind"], reset_after=reset_after), stack["kind"], reset_after=reset_after)
    for got, expected in zip(back, weights, strict=True):
        assert all(map(np.array_equal, got, expected))


@given(stack=STACKS)
def test_through_keras_two_biases_come_back_as_their_sum_and_everything_else_as_it_was(stack):
    before = make(**stack).state_dict()
    back = from_keras(to_keras(before, stack["kind"]), stack["kind"])
    if stack["kind"] != "GRU":                               # its reset gate stands between the two: Keras has both
        for name in [name for name in before if name.startswith("bias_ih")]:
            before[name] = before[name] + before[name.replace("ih", "hh")]
            before[name.replace("ih", "hh")] = np.zeros_like(before[name])
    assert_equal(back, before)


# ONNX


def node(kind, layer, inputs, outputs):
    """A model of one node that computes what one layer of ours does, given the inputs of `to_onnx`."""
    N = 1 + layer.bidirectional
    attributes = {"direction": "bidirectional" if layer.bidirectional else "forward", "hidden_size": layer.hidden_size}
    if kind == "RNN":
        attributes["activations"] = [layer.nonlinearity.capitalize()] * N
    if kind == "GRU":
        attributes["linear_before_reset"] = int(layer.reset_after)
    if kind == "LSTM":
        attributes["input_forget"] = int(layer.forget_gate == "coupled")
    element = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}[str(layer.dtype)]
    info = [onnx.helper.make_tensor_value_info(name, TensorProto.INT32 if name == "sequence_lens" else element, None)
            for name in (*filter(None, inputs), *outputs)]
    made = onnx.helper.make_node(kind, inputs, outputs, **attributes)
    graph = onnx.helper.make_graph([made], "layer", info[: -len(outputs)], info[-len(outputs):])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)], ir_version=10)


def run_onnx(runtime, kind, layer, x, state, layers=None, lengths=None):
    """Output and final states of a chain of nodes, in our layout.

    `layers` are the nodes' weights; left out, they are the layer's.
    """
    parts, N = state if isinstance(state, tuple) else (state,), 1 + layer.bidirectional
    final = [[] for _ in parts]
    for number, weights in enumerate(to_onnx(layer.state_dict(), kind) if layers is None else layers):
        feeds = {"X": x, **weights}
        feeds |= {} if lengths is None else {"sequence_lens": np.array(lengths, np.int32)}
        feeds |= {f"initial_{name}": part[number * N : (number + 1) * N] for name, part in zip("hc", parts)}
        names = [name if name in feeds else "" for name in ("X", "W", "R", "B", "sequence_lens", "initial_h",
                                                            "initial_c", "P")][: 6 if kind != "LSTM" else 8]
        model = node(kind, layer, names, ["Y", "Y_h", "Y_c"][: 1 + len(parts)])
        output, *states = runtime(model, feeds)
        x = output.transpose(0, 2, 1, 3).reshape(*x.shape[:2], -1)    # (T, N, B, H) to (T, B, N·H)
        for part, value in zip(final, states):
            part.append(value)
    return x, *(np.concatenate(part) for part in final)


def reference(model, feeds):
    return ReferenceEvaluator(model).run(None, feeds)


def runtime(model, feeds):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)


@given(stack=STACKS, T=st.integers(1, 7), B=st.integers(1, 4), reset_after=st.booleans(), peephole=st.booleans(),
       seed=st.integers(0, 999))
def test_the_reference_of_onnx_computes_what_ours_computes(close, stack, T, B, reset_after, peephole, seed):
    options = {"GRU": {"reset_after": reset_after}, "LSTM": {"peephole": peephole}}.get(stack["kind"], {})
    layer = make(**stack, **options, seed=seed)
    x, state = normal(T, B, stack["D"], seed=seed), initial_state(layer, B, seed=seed)
    expected = run_onnx(reference, stack["kind"], layer, x, state)
    for got, value in zip(flat(*layer.forward(x, state)), expected, strict=True):
        close(got, value)


@given(stack=STACKS, reset_after=st.booleans(), peephole=st.booleans(), seed=st.integers(0, 999))
def test_ours_computes_what_the_reference_of_onnx_computes(close, stack, reset_after, peephole, seed):
    options = {"GRU": {"reset_after": reset_after}, "LSTM": {"peephole": peephole}}.get(stack["kind"], {})
    layer = make(**stack, **options)
    draw = np.random.default_rng(seed)
    nodes = [{name: draw.standard_normal(array.shape) / 2 for name, array in node.items()}
             for node in to_onnx(layer.state_dict(), stack["kind"])]
    layer.load_state_dict(from_onnx(nodes, stack["kind"]))
    x, state = normal(T, B, stack["D"]), initial_state(layer)
    expected = run_onnx(reference, stack["kind"], layer, x, state, nodes)
    for got, value in zip(flat(*layer.forward(x, state)), expected, strict=True):
        close(got, value)


@pytest.mark.parametrize("variant", VARIANTS)
@BIAS
@DIRECTIONS
def test_onnxruntime_computes_what_ours_computes(close, variant, bias, bidirectional):
    kind, options = VARIANTS[variant]
    layer = make(kind, bias=bias, bidirectional=bidirectional, dtype=np.float32, **options)
    x, state = normal(T, B, D).astype(np.float32), initial_state(layer)
    expected = run_onnx(runtime, kind, layer, x, state)
    for got, value in zip(flat(*layer.forward(x, state)), expected, strict=True):
        close(got, value, 2e-6)


@given(stack=STACKS, peephole=st.booleans())
def test_onnx_inputs_come_back_as_they_were(stack, peephole):
    layer = make(**stack, **({"peephole": peephole} if stack["kind"] == "LSTM" else {}))
    assert_equal(from_onnx(to_onnx(layer.state_dict(), stack["kind"]), stack["kind"]), layer.state_dict())


def with_a_forget_gate(layer, bias):
    """The weights of an LSTM of three blocks, i, g, o, in the four of an ordinary one; f reads nothing but its bias."""
    found = {}
    for name, array in layer.state_dict().items():
        rows = 1 if name.startswith("weight_peephole") else layer.hidden_size
        forget = np.full((rows, *array.shape[1:]), bias if name.startswith("bias_ih") else 0, array.dtype)
        found[name] = np.concatenate([array[:rows], forget, array[rows:]])
    return found


@DIRECTIONS
@pytest.mark.parametrize("peephole", [False, True], ids=["no peephole", "peephole"])
def test_the_lstm_of_1997_is_that_of_onnx_with_a_forget_gate_stuck_at_1(close, bidirectional, peephole):
    layer = make("LSTM", forget_gate=False, bidirectional=bidirectional, peephole=peephole)
    nodes = to_onnx(with_a_forget_gate(layer, bias=1000), "LSTM")                        # 1 / (1 + exp(-1000)) is 1
    x, state = normal(T, B, D), initial_state(layer)
    for got, value in zip(flat(*layer.forward(x, state)), run_onnx(reference, "LSTM", layer, x, state, nodes)):
        close(got, value)


@DIRECTIONS
@pytest.mark.parametrize("peephole", [False, True], ids=["no peephole", "peephole"])
def test_the_coupled_lstm_is_that_of_onnxruntime_with_input_forget(close, bidirectional, peephole):
    layer = make("LSTM", forget_gate="coupled", bidirectional=bidirectional, peephole=peephole, dtype=np.float32)
    nodes = to_onnx(with_a_forget_gate(layer, bias=0), "LSTM")                           # its forget rows are not read
    x, state = normal(T, B, D).astype(np.float32), initial_state(layer)
    for got, value in zip(flat(*layer.forward(x, state)), run_onnx(runtime, "LSTM", layer, x, state, nodes)):
        close(got, value, 2e-6)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@DIRECTIONS
def test_onnxruntime_reads_sequences_of_many_lengths_as_ours_reads_packed_ones(close, kind, bidirectional):
    layer, lengths = make(kind, bidirectional=bidirectional, dtype=np.float32), [6, 2, 4]
    x, state = normal(T, B, D).astype(np.float32), initial_state(layer)
    expected, *final = run_onnx(runtime, kind, layer, x, state, lengths=lengths)
    ours = getattr(unrolled.torch, kind)(D, H, 2, bidirectional=bidirectional)
    ours.load_state_dict(layer.state_dict())
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.from_numpy(x), lengths, enforce_sorted=False)
    tensors = tuple(map(torch.from_numpy, state)) if isinstance(state, tuple) else torch.from_numpy(state)
    output, states = ours(packed, tensors)
    output, _ = torch.nn.utils.rnn.pad_packed_sequence(output)      # zeros behind the end, in ONNX too
    for got, value in zip(flat(output, states), (expected, *final), strict=True):
        close(got.detach(), value, 2e-6)


# ONNX's own test cases, of one node each: inputs, and what must come out


def node_cases():
    """Every case for RNN, LSTM and GRU, by name. Importing a module of the package collects its cases."""
    for module in ("rnn", "lstm", "gru"):
        importlib.import_module(f"onnx.backend.test.case.node.{module}")
    collected = importlib.import_module("onnx.backend.test.case.node")._NodeTestCases
    return {case.name: case for case in collected if case.model.graph.node[0].op_type in ("RNN", "LSTM", "GRU")}


NODE_CASES = node_cases()


def test_the_cases_of_onnx_are_the_known_ones_and_none_is_left_out():
    variants = "defaults", "with_initial_bias", "batchwise", "reverse", "bidirectional"
    common = {f"test_{name}_{variant}" for name in ("simple_rnn", "lstm", "gru") for variant in variants}
    assert set(NODE_CASES) == common | {"test_lstm_with_peepholes", "test_rnn_seq_length", "test_gru_seq_length"}


@pytest.mark.parametrize("package", [unrolled.numpy, unrolled.torch], ids=["numpy", "torch"])
@pytest.mark.parametrize("name", NODE_CASES)
def test_ours_passes_the_test_cases_of_onnx(close, name, package):
    case = NODE_CASES[name]
    made, (inputs, outputs) = case.model.graph.node[0], case.data_sets[0]
    kind, feeds = made.op_type, dict(zip(filter(None, made.input), inputs, strict=True))
    said = {attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in made.attribute}
    reverse, batchwise = said.get("direction") == b"reverse", said.get("layout") == 1
    assert set(said) <= {"direction", "hidden_size", "layout", "linear_before_reset"}      # all of it is read here
    assert "sequence_lens" not in feeds or (feeds["sequence_lens"] == len(feeds["X"])).all()    # none is cut short

    weights = from_onnx([{key: feeds[key] for key in "WRBP" if key in feeds}], kind)
    options = {"LSTM": {"peephole": "P" in feeds}, "GRU": {"reset_after": said.get("linear_before_reset") == 1}}
    layer = getattr(package, kind)(feeds["X"].shape[-1], said["hidden_size"], bias="B" in feeds,
                                   bidirectional=said.get("direction") == b"bidirectional", **options.get(kind, {}))
    layer.load_state_dict(weights)
    into, out = (np.asarray,) * 2 if package is unrolled.numpy else (torch.from_numpy, lambda tensor: tensor.detach())
    x = feeds["X"].swapaxes(0, 1) if batchwise else feeds["X"]                  # (B, T, D) to ours, (T, B, D)
    x = np.ascontiguousarray(x[::-1] if reverse else x)
    state = [into(feeds[key]) for key in ("initial_h", "initial_c") if key in feeds]
    results = layer.forward(into(x), None if not state else state[0] if kind != "LSTM" else tuple(state))
    output, *final = (np.asarray(out(array)) for array in flat(*results))
    output = output.reshape(*output.shape[:2], -1, layer.hidden_size).swapaxes(1, 2)       # (T, N, B, H)
    got = {"Y": output[::-1] if reverse else output} | dict(zip(("Y_h", "Y_c"), final))
    for key, expected in zip(filter(None, made.output), outputs, strict=True):
        ours = got[key] if not batchwise else got[key].transpose(2, 0, 1, 3) if key == "Y" else got[key].swapaxes(0, 1)
        close(ours, expected, 2e-6)


# What does not fit is named


def lstm(**options):
    return make("LSTM", D=3, H=4, num_layers=1, **options).state_dict()


WRONG_STATE_DICTS = {
    "a list": (lambda: [np.zeros((16, 3))], "LSTM", TypeError, "state_dict must map names to arrays, got list"),
    "nothing": (dict, "LSTM", ValueError, "state_dict does not fit: missing weight_ih_l0, weight_hh_l0"),
    "a bias missing": (lambda: drop(lstm(), "bias_hh_l0"), "LSTM", ValueError,
                       "state_dict does not fit: missing bias_hh_l0"),
    "a layer missing": (lambda: drop(make("RNN", num_layers=3).state_dict(), "weight_ih_l1", "weight_hh_l1"), "RNN",
                        ValueError, "state_dict does not fit: missing weight_ih_l1, weight_hh_l1"),
    "half of a direction": (lambda: drop(lstm(bidirectional=True), "weight_ih_l0_reverse", "bias_hh_l0_reverse"),
                            "LSTM", ValueError,
                            "state_dict does not fit: missing weight_ih_l0_reverse, bias_hh_l0_reverse"),
    "a cell's": (lambda: {name.removesuffix("_l0"): array for name, array in lstm(bias=False).items()}, "LSTM",
                 ValueError, "missing weight_ih_l0, weight_hh_l0; unexpected weight_ih, weight_hh"),
    "layer norm": (lambda: lstm(layer_norm=True), "LSTM", ValueError,
                   "state_dict does not fit: unexpected norm_ih_l0, norm_hh_l0, norm_c_l0, bias_c_l0"),
    "a projection": (lambda: torch.nn.LSTM(3, 4, proj_size=2).state_dict(), "LSTM", ValueError,
                     "state_dict does not fit: unexpected weight_hr_l0"),
    "an LSTM of three blocks": (lambda: lstm(forget_gate=False), "LSTM", ValueError,
                                "weight_ih_l0 must have shape (16, 3), got (12, 3)"),
    "another kind": (lstm, "GRU", ValueError, "weight_ih_l0 must have shape (12, 3), got (16, 3)"),
    "a width": (lambda: make("GRU", 3, 4).state_dict() | {"weight_ih_l1": np.zeros((12, 3))}, "GRU", ValueError,
                "weight_ih_l1 must have shape (12, 4), got (12, 3)"),
    "a flat matrix": (lambda: lstm() | {"weight_hh_l0": np.zeros(64)}, "LSTM", ValueError,
                      "weight_hh_l0 must have shape (G·H, H), got (64,)"),
    "a list inside": (lambda: lstm() | {"bias_ih_l0": [0.0] * 16}, "LSTM", TypeError,
                      "bias_ih_l0 must be an array, got list"),
    "an unknown kind": (lstm, "lstm", ValueError, "kind must be one of 'RNN', 'LSTM', 'GRU', got 'lstm'"),
}


def drop(state_dict, *names):
    return {name: array for name, array in state_dict.items() if name not in names}


@pytest.mark.parametrize("convert", [to_keras, to_onnx])
@pytest.mark.parametrize("case", WRONG_STATE_DICTS)
def test_a_state_dict_that_is_no_stack_of_that_kind_is_named(refuses, convert, case):
    given, kind, error, message = WRONG_STATE_DICTS[case]
    with refuses(error, message):
        convert(given(), kind)


def test_keras_has_no_peepholes(refuses):
    with refuses(ValueError, "state_dict does not fit: unexpected weight_peephole_l0"):
        to_keras(lstm(peephole=True), "LSTM")


@pytest.mark.parametrize("convert", [to_keras, from_keras])
def test_reset_after_is_a_flag(refuses, convert):
    with refuses(TypeError, "reset_after must be True or False, got int 1"):
        convert({}, "GRU", reset_after=1)


KERNEL, RECURRENT, BIAS_OF_ONE, BIAS_OF_TWO = np.zeros((3, 12)), np.zeros((4, 12)), np.zeros(12), np.zeros((2, 12))
WRONG_KERAS = {
    "an array": (KERNEL, TypeError, "layers must be a list, for each layer what get_weights returns, got ndarray"),
    "no layer": ([], ValueError, "layers must hold at least one layer, got none"),
    "one layer's arrays": ([KERNEL, RECURRENT], ValueError,
                           "layers must hold 2 arrays each, 3 with bias, 4 or 6 in two directions; got 3, 4"),
    "a number of arrays": ([[KERNEL]], ValueError,
                           "layers must hold 2 arrays each, 3 with bias, 4 or 6 in two directions; got 1"),
    "layers that differ": ([[KERNEL, RECURRENT], [KERNEL, RECURRENT, BIAS_OF_TWO]], ValueError,
                           "layers must hold 2 arrays each, 3 with bias, 4 or 6 in two directions; got 2, 3"),
    "a bias of the other convention": ([[KERNEL, RECURRENT, BIAS_OF_ONE]], ValueError,
                                       "bias of layer 0 must have shape (2, 12), got (12,)"),
    "torch's layout": ([[KERNEL.T, RECURRENT.T]], ValueError,
                       "kernel of layer 0 must have shape (12, 36), got (12, 3)"),
    "the second direction": ([[KERNEL, RECURRENT, KERNEL, KERNEL]], ValueError,
                             "recurrent_kernel of layer 0, backward must have shape (4, 12), got (3, 12)"),
    "the second layer": ([[KERNEL, RECURRENT], [KERNEL, RECURRENT]], ValueError,
                         "kernel of layer 1 must have shape (4, 12), got (3, 12)"),
    "a list inside": ([[[0.0], RECURRENT]], TypeError, "kernel of layer 0 must be an array, got list"),
}


@pytest.mark.parametrize("case", WRONG_KERAS)
def test_weights_that_are_no_stack_of_keras_are_named(refuses, case):
    layers, error, message = WRONG_KERAS[case]
    with refuses(error, message):
        from_keras(layers, "GRU")


def test_a_bias_of_two_rows_is_not_taken_for_one(refuses):
    with refuses(ValueError, "bias of layer 0 must have shape (12,), got (2, 12)"):
        from_keras([[KERNEL, RECURRENT, BIAS_OF_TWO]], "GRU", reset_after=False)


def inputs(**changes):
    """The inputs of an LSTM node, D = 3 and H = 4, with some replaced, or left out where None."""
    arrays = {"W": np.zeros((1, 16, 3)), "R": np.zeros((1, 16, 4)), "B": np.zeros((1, 32)), "P": np.zeros((1, 12))}
    return {name: array for name, array in (arrays | changes).items() if array is not None}


MASKED = np.ma.masked_array(np.zeros((1, 16, 3)), True)
WRONG_ONNX = {
    "a dict": (inputs(), TypeError, "layers must be a list, for each layer a dict of W, R, B and P, got dict"),
    "no layer": ([], ValueError, "layers must hold at least one layer, got none"),
    "an array for a dict": ([np.zeros(3)], TypeError, "layer 0 must be a dict of W, R, B and P, got ndarray"),
    "an input missing": ([inputs(R=None)], ValueError, "layer 0 does not fit: missing R"),
    "an input too many": ([inputs(initial_h=np.zeros((1, 2, 4)))], ValueError,
                          "layer 0 does not fit: unexpected initial_h"),
    "layers that differ": ([inputs(), inputs(W=np.zeros((1, 16, 4)), B=None, P=None)], ValueError,
                           "layer 1 does not fit: missing B, P"),
    "an RNN's": ([inputs(W=np.zeros((1, 4, 3)), R=np.zeros((1, 4, 4)))], ValueError,
                 "W of layer 0 must have shape (1, 16, 3), got (1, 4, 3)"),
    "three directions": ([inputs(W=np.zeros((3, 16, 3)))], ValueError,
                         "directions of layer 0 must be one of 1, 2, got 3"),
    "directions that differ": ([inputs(W=np.zeros((2, 16, 3)))], ValueError,
                               "R of layer 0 must have shape (2, 16, 4), got (1, 16, 4)"),
    "no direction": ([inputs(R=np.zeros((16, 4)))], ValueError,
                     "R of layer 0 must have shape (N, G·H, H), got (16, 4)"),
    "one bias": ([inputs(B=np.zeros((1, 16)))], ValueError, "B of layer 0 must have shape (1, 32), got (1, 16)"),
    "a peephole for each gate": ([inputs(P=np.zeros((1, 16)))], ValueError,
                                 "P of layer 0 must have shape (1, 12), got (1, 16)"),
    "the second layer": ([inputs(), inputs()], ValueError, "W of layer 1 must have shape (1, 16, 4), got (1, 16, 3)"),
    "a list inside": ([inputs(B=[0.0])], TypeError, "B of layer 0 must be an array, got list"),
    "a masked array": ([inputs(W=MASKED)], TypeError, "W of layer 0 must be a plain numpy array, got MaskedArray"),
    "whole numbers": ([inputs(B=np.zeros((1, 32), np.int8))], TypeError,
                      "B of layer 0 must hold floating-point numbers, got int8"),
}


@pytest.mark.parametrize("case", WRONG_ONNX)
def test_inputs_that_are_no_chain_of_nodes_are_named(refuses, case):
    layers, error, message = WRONG_ONNX[case]
    with refuses(error, message):
        from_onnx(layers, "LSTM")


def test_only_an_lstm_has_peepholes_in_onnx(refuses):
    with refuses(ValueError, "layer 0 does not fit: unexpected P"):
        from_onnx([inputs(W=np.zeros((1, 12, 3)), R=np.zeros((1, 12, 4)), B=None)], "GRU")


@pytest.mark.parametrize(("convert", "given"), [
    (to_keras, lambda: make("GRU").state_dict()), (to_onnx, lambda: make("GRU").state_dict()),
    (from_keras, lambda: to_keras(make("GRU").state_dict(), "GRU")),
    (from_onnx, lambda: to_onnx(make("GRU").state_dict(), "GRU")),
    (to_flax, lambda: make("GRU").state_dict()), (from_flax, lambda: to_flax(make("GRU").state_dict(), "GRU")),
], ids=["to_keras", "to_onnx", "from_keras", "from_onnx", "to_flax", "from_flax"])
def test_what_comes_out_shares_nothing_with_what_went_in(convert, given):
    def arrays(value):
        if isinstance(value, np.ndarray):
            return [value]
        return [array for part in (value.values() if isinstance(value, dict) else value) for array in arrays(part)]

    went_in = given()
    for array in arrays(convert(went_in, "GRU")):
        assert array.flags["C_CONTIGUOUS"]
        assert not any(np.shares_memory(array, other) for other in arrays(went_in))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_the_tensors_of_torch_nn_are_as_good_as_arrays(close, kind):
    library = getattr(torch.nn, kind)(D, H, 2, bidirectional=True, dtype=torch.float64)
    taker = make(kind, bidirectional=True)
    taker.load_state_dict(from_onnx(to_onnx(library.state_dict(), kind), kind))
    x = normal(T, B, D)
    close(taker.forward(x)[0], library(torch.from_numpy(x))[0].detach())


# Flax: its cells by the equations of its documentation, since this environment has no JAX


def sigma(a):
    return 1 / (1 + np.exp(-a))


def flax_cell(kind, p, x, carry):
    """One step, (B, D) and (B, H) or (c, h), as the docstrings of SimpleCell, LSTMCell and GRUCell define it."""
    def i(gate):
        return x @ p["i" + gate]["kernel"] + p["i" + gate].get("bias", 0)

    def h(gate, of):
        return of @ p["h" + gate]["kernel"] + p["h" + gate].get("bias", 0)

    if kind == "RNN":                                       # h' = tanh(W_i x + b_i + W_h h)
        return np.tanh(i("") + h("", carry))
    if kind == "LSTM":                                      # i = σ(W_ii x + W_hi h + b_hi), …
        c, old = carry
        write, keep, show = (sigma(i(gate) + h(gate, old)) for gate in "ifo")
        c = keep * c + write * np.tanh(i("g") + h("g", old))
        return c, show * np.tanh(c)
    r, z = (sigma(i(gate) + h(gate, carry)) for gate in "rz")
    n = np.tanh(i("n") + r * h("n", carry))                 # n = tanh(W_in x + b_in + r * (W_hn h + b_hn))
    return (1 - z) * n + z * carry


def run_flax(kind, layers, x):
    for cells in layers:
        outputs = []
        for cell, steps in zip(cells, (x, x[::-1])):
            carry = np.zeros((B, H)) if kind != "LSTM" else (np.zeros((B, H)), np.zeros((B, H)))
            states = []
            for step in steps:
                carry = flax_cell(kind, cell, step, carry)
                states.append(carry[1] if kind == "LSTM" else carry)
            outputs.append(np.array(states if steps is x else states[::-1]))
        x = np.concatenate(outputs, -1)
    return x


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@BIAS
@DIRECTIONS
def test_the_cells_of_flax_compute_what_ours_computes_and_the_other_way_round(close, kind, bias, bidirectional):
    layer, x = make(kind, bias=bias, bidirectional=bidirectional), normal(T, B, D)
    close(run_flax(kind, to_flax(layer.state_dict(), kind), x), layer.forward(x)[0])
    cells = to_flax(make(kind, bidirectional=bidirectional, seed=5).state_dict(), kind)
    layer = make(kind, bidirectional=bidirectional)
    layer.load_state_dict(from_flax(cells, kind))
    close(layer.forward(x)[0], run_flax(kind, cells, x))


@given(stack=STACKS)
def test_flax_weights_come_back_as_they_were(stack):
    weights = to_flax(make(**stack).state_dict(), stack["kind"])
    for cells, expected in zip(to_flax(from_flax(weights, stack["kind"]), stack["kind"]), weights, strict=True):
        for cell, wanted in zip(cells, expected, strict=True):
            assert cell.keys() == wanted.keys()
            for name in wanted:
                assert_equal(cell[name], wanted[name])


def test_the_names_and_shapes_are_those_that_flax_gives_its_own_cells():
    """As flax 0.12.8 prints them for `features=5` and inputs of width 4."""
    def shapes(kind):
        (cell,), = to_flax(make(kind, num_layers=1).state_dict(), kind)
        return {name: {what: array.shape for what, array in arrays.items()} for name, arrays in cell.items()}

    i, h = {"kernel": (4, 5)}, {"kernel": (5, 5)}
    bias = {"bias": (5,)}
    assert shapes("RNN") == {"i": i | bias, "h": h}
    assert shapes("LSTM") == {"i" + gate: i for gate in "ifgo"} | {"h" + gate: h | bias for gate in "ifgo"}
    assert shapes("GRU") == {"i" + gate: i | bias for gate in "rzn"} | {"hr": h, "hz": h, "hn": h | bias}


def cell(**changes):
    """The parameters of a GRUCell, D = 3 and H = 4, with some replaced, or left out where None."""
    i, h = {"kernel": np.zeros((3, 4)), "bias": np.zeros(4)}, {"kernel": np.zeros((4, 4))}
    whole = {"ir": i, "iz": i, "in": i, "hr": h, "hz": h, "hn": h | {"bias": np.zeros(4)}}
    return {name: arrays for name, arrays in (whole | changes).items() if arrays is not None}


WRONG_FLAX = {
    "a dict": (cell(), TypeError, "layers must be a list, for each layer a list of one cell's parameters a direction"),
    "no list of directions": ([cell()], TypeError, "layers must be a list, for each layer one cell's parameters"),
    "an array for a cell": ([[np.zeros(3)]], TypeError, "layer 0 must hold dicts of parameters, got ndarray"),
    "a gate missing": ([[cell(hz=None)]], ValueError, "layer 0 does not fit: missing hz"),
    "an LSTM's": ([[{"i" + gate: {} for gate in "ifgo"} | {"h" + gate: {} for gate in "ifgo"}]], ValueError,
                  "layer 0 does not fit: missing ir, iz, in, hr, hz, hn; unexpected ii, if, ig, io, hi, hf, hg, ho"),
    "a bias of another layout": ([[cell(hr={"kernel": np.zeros((4, 4)), "bias": np.zeros(4)})]], ValueError,
                                 "hr of layer 0 does not fit: unexpected bias"),
    "no second bias": ([[cell(hn={"kernel": np.zeros((4, 4))})]], ValueError,
                       "hn of layer 0 does not fit: missing bias"),
    "three directions": ([[cell()] * 3], ValueError, "directions of layer 0 must be one of 1, 2, got 3"),
    "directions that differ": ([[cell()], [cell()] * 2], ValueError, "directions of layer 1 must be one of 1, got 2"),
    "torch's layout": ([[cell(iz={"kernel": np.zeros((4, 3)), "bias": np.zeros(4)})]], ValueError,
                       "kernel of iz of layer 0 must have shape (3, 4), got (4, 3)"),
    "the second layer": ([[cell()], [cell()]], ValueError,
                         "kernel of ir of layer 1 must have shape (4, 4), got (3, 4)"),
}


@pytest.mark.parametrize("case", WRONG_FLAX)
def test_parameters_that_are_no_stack_of_cells_are_named(refuses, case):
    layers, error, message = WRONG_FLAX[case]
    with refuses(error, message):
        from_flax(layers, "GRU")
