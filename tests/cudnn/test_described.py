"""The library behind our constructor: it is the library, it says what runs, and it keeps float32 whole."""

import threading

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from unrolled import cudnn
from unrolled.cudnn.rnn import whole_float32, whole_float32_backward

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def normal(*shape, seed=1, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture
def rnn_precision():
    """cuDNN's setting for recurrent layers, put back afterwards."""
    before = torch.backends.cudnn.rnn.fp32_precision
    yield torch.backends.cudnn.rnn
    torch.backends.cudnn.rnn.fp32_precision = before


# It is the library


def train_once(layer, x, state):
    """One forward and backward pass from a fixed seed: every tensor that comes out."""
    torch.manual_seed(1)
    results = layer(x, state)
    tensors = []
    for result in results if isinstance(results, tuple) else (results,):     # a pack is a tuple too
        is_pack = isinstance(result, nn.utils.rnn.PackedSequence)
        tensors += [result.data] if is_pack else result if isinstance(result, tuple) else [result]
    sum(tensor.square().sum() for tensor in tensors).backward()
    return [*tensors, *(parameter.grad for parameter in layer.parameters())]


@pytest.mark.parametrize(("kind", "options", "x", "state"), [
    ("RNN", {}, normal(5, 2, 3), None),
    ("RNN", {"nonlinearity": "relu", "bias": False, "batch_first": True}, normal(2, 5, 3), normal(1, 2, 4)),
    ("RNN", {"num_layers": 3, "dropout": 0.4, "bidirectional": True}, normal(5, 2, 3), normal(6, 2, 4)),
    ("RNN", {"num_layers": 2}, normal(5, 3), normal(2, 4)),
    ("RNN", {"bidirectional": True}, pack_sequence([normal(2, 3), normal(5, 3)], enforce_sorted=False), None),
    ("RNNCell", {"nonlinearity": "relu"}, normal(2, 3), normal(2, 4)),
    ("RNNCell", {"bias": False}, normal(3), None),
    ("LSTM", {"proj_size": 2, "bidirectional": True}, normal(5, 2, 3), (normal(2, 2, 2), normal(2, 2, 4))),
    ("LSTM", {}, pack_sequence([normal(2, 3), normal(5, 3)], enforce_sorted=False), None),
    ("LSTMCell", {}, normal(2, 3), (normal(2, 4), normal(2, 4, seed=2))),
    ("GRU", {"num_layers": 3, "dropout": 0.4, "batch_first": True}, normal(2, 5, 3), normal(3, 2, 4)),
    ("GRU", {"bidirectional": True}, pack_sequence([normal(2, 3), normal(5, 3)], enforce_sorted=False), None),
    ("GRUCell", {"bias": False}, normal(3), None),
], ids=["plain", "relu, batch first", "stack with dropout", "unbatched", "packed", "cell", "cell unbatched",
        "LSTM projected", "LSTM packed", "LSTM cell", "GRU stack", "GRU packed", "GRU cell"])
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_it_equals_torch_nn_bit_for_bit(kind, options, x, state):
    torch.manual_seed(0)
    library = getattr(nn, kind)(3, 4, **options)
    ours = getattr(cudnn, kind)(3, 4, **options)
    ours.load_state_dict(library.state_dict())
    for got, expected in zip(train_once(ours, x, state), train_once(library, x, state), strict=True):
        assert torch.equal(got, expected)


# It says what runs


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("kind", ["RNN", "RNNCell", "LSTM", "LSTMCell", "GRU", "GRUCell"])
def test_without_a_gpu_it_says_so(kind):
    said = getattr(cudnn, kind)(3, 4).describe()
    kernels = "with oneDNN" if kind == "LSTM" and torch.backends.mkldnn.is_available() else "CPU kernels"
    assert said == f"PyTorch {torch.__version__} {kernels}, not cuDNN (no CUDA device found), float32"


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this PyTorch has no oneDNN")
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize(("options", "uses"), [
    ({}, True), ({"proj_size": 2}, False), ({"dtype": torch.float64}, False),
], ids=str)
def test_it_says_onednn_where_the_profiler_sees_onednn(options, uses):
    layer = cudnn.LSTM(3, 4, **options)
    with torch.profiler.profile() as profile, torch.no_grad():
        layer(normal(5, 2, 3, dtype=options.get("dtype", torch.float32)))
    ran = any("mkldnn" in event.key for event in profile.key_averages())
    assert ran == uses == ("oneDNN" in layer.describe())


def test_on_the_cpu_of_a_machine_with_a_gpu_it_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    said = cudnn.RNN(3, 4, dtype=torch.float64).describe()
    assert said == f"PyTorch {torch.__version__} CPU kernels, not cuDNN (the layer is on the CPU), float64"


@needs_cuda
def test_on_a_gpu_it_names_cudnn_and_the_precision():
    assert cudnn.RNN(3, 4, device="cuda").describe().startswith(f"cuDNN {torch.backends.cudnn.version()}, ")
    assert cudnn.RNN(3, 4, device="cuda").describe().endswith("float32, TF32 off")
    assert cudnn.RNN(3, 4, device="cuda", allow_tf32=True).describe().endswith("float32, TF32 allowed")
    assert "CUDA kernels" in cudnn.RNNCell(3, 4, device="cuda").describe()


# It keeps float32 whole


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(("options", "during"), [({}, "ieee"), ({"allow_tf32": True}, "tf32")], ids=["off", "allowed"])
def test_tf32_is_off_during_forward_unless_asked_for(monkeypatch, rnn_precision, kind, options, during):
    seen = []
    result = torch.zeros(1), torch.zeros(1)
    monkeypatch.setattr(getattr(nn, kind), "forward", lambda *_: seen.append(rnn_precision.fp32_precision) or result)
    rnn_precision.fp32_precision = "tf32"
    getattr(cudnn, kind)(3, 4, **options)(normal(5, 2, 3))
    assert seen == [during]
    assert rnn_precision.fp32_precision == "tf32"


def test_the_setting_comes_back_after_an_error(rnn_precision):
    rnn_precision.fp32_precision = "tf32"
    with pytest.raises(KeyError), whole_float32():
        raise KeyError
    assert rnn_precision.fp32_precision == "tf32"


class CudnnRnn(torch.autograd.Function):
    """Stands in for cuDNN's node of the graph: it records the setting that its backward pass finds."""

    seen = []

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, d_output):
        CudnnRnn.seen.append(torch.backends.cudnn.rnn.fp32_precision)
        return d_output


def test_tf32_is_off_when_cudnns_backward_runs_and_only_then(rnn_precision):
    rnn_precision.fp32_precision = "tf32"
    x = normal(5, 1, 3).requires_grad_()
    before, output = CudnnRnn.apply(x), CudnnRnn.apply(x * 2).squeeze(1)
    whole_float32_backward(output)
    for retain in (True, False):
        CudnnRnn.seen.clear()
        (output.sum() + before.sum()).backward(retain_graph=retain)
        assert sorted(CudnnRnn.seen) == ["ieee", "tf32"]
        assert rnn_precision.fp32_precision == "tf32"


def test_a_graph_is_not_searched_beyond_the_layer(rnn_precision):
    rnn_precision.fp32_precision = "tf32"
    output = CudnnRnn.apply(normal(5, 3).requires_grad_())             # another layer, far below
    for _ in range(4):
        output = output.tanh()
    whole_float32_backward(output)
    CudnnRnn.seen.clear()
    output.sum().backward()
    assert CudnnRnn.seen == ["tf32"]


def test_a_result_without_a_graph_has_no_backward_to_keep_whole():
    with torch.no_grad():
        assert not cudnn.RNN(3, 4)(normal(5, 2, 3))[0].requires_grad


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("value", [1, None, "off"], ids=str)
def test_allow_tf32_is_a_flag(refuses, kind, value):
    with refuses(TypeError, "allow_tf32 must be True or False, got"):
        getattr(cudnn, kind)(3, 4, allow_tf32=value)


def test_the_setting_is_whole_in_one_thread_while_another_leaves(rnn_precision):
    rnn_precision.fp32_precision = "tf32"
    inside, left = threading.Event(), threading.Event()

    def first():
        with whole_float32():
            inside.set()
            left.wait(5)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(5)
    with whole_float32():
        left.set()
        thread.join()                                          # the one who came first is gone
        assert rnn_precision.fp32_precision == "ieee"
    assert rnn_precision.fp32_precision == "tf32"
