"""Derivatives of the fused layers, asked for in every way that autograd knows: those of the library."""

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad

from unrolled.torch import GRU, LSTM, fused

KINDS = {"LSTM": LSTM, "GRU": GRU}
pytestmark = [pytest.mark.usefixtures("inside"),
              pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")]     # torch's own forward mode uses it


@pytest.fixture(params=[(kind, bias) for kind in KINDS for bias in (True, False)],
                ids=lambda pair: pair[0] + ("" if pair[1] else " without bias"))
def layers(request):
    """A fused layer, the library's with the same weights, and inputs."""
    kind, bias = request.param
    torch.manual_seed(0)
    library = getattr(nn, kind)(2, 3, 2, bias=bias, bidirectional=True, dtype=torch.float64)
    ours = KINDS[kind](2, 3, 2, bias=bias, bidirectional=True, dtype=torch.float64, fused=True)
    ours.load_state_dict(library.state_dict())
    return ours, library, torch.randn(4, 2, 2, dtype=torch.float64)


def equal(one, other):
    return all(torch.allclose(a, b, rtol=1e-12, atol=1e-12) for a, b in zip(one, other, strict=True))


def loss(layer):
    return lambda x: layer(x)[0].square().sum()


def test_a_penalty_on_a_gradient_reaches_every_parameter(layers):
    *both, x = layers
    results = []
    for layer in both:
        x = x.detach().requires_grad_()
        (d_x,) = torch.autograd.grad(loss(layer)(x), x, create_graph=True)
        results.append(torch.autograd.grad((d_x.norm() - 1) ** 2, [x, *layer.parameters()]))
    assert equal(*results)


def test_a_third_derivative_is_right(layers):
    *both, x = layers
    results = []
    for layer in both:
        z = x.detach().requires_grad_()
        value = loss(layer)(z)
        for _ in range(3):
            (value,) = torch.autograd.grad(value.sum(), z, create_graph=True)
        results.append([value])
    assert equal(*results)


@pytest.mark.parametrize("ask", [
    lambda f, x: torch.autograd.functional.hessian(f, x),
    lambda f, x: torch.autograd.functional.jvp(f, x, x + 1)[1],
    lambda f, x: torch.autograd.functional.hvp(f, x, x + 1)[1],
    lambda f, x: torch.autograd.functional.vhp(f, x, x + 1)[1],
    lambda f, x: torch.func.hessian(f)(x),
    lambda f, x: torch.func.jvp(f, (x,), (x + 1,))[1],
    lambda f, x: torch.func.grad(lambda z: torch.func.grad(f)(z).square().sum())(x),
    lambda f, x: torch.func.jacrev(torch.func.jacfwd(f))(x),
], ids=["hessian", "jvp", "hvp", "vhp", "func.hessian", "func.jvp", "func.grad twice", "jacrev jacfwd"])
def test_every_way_to_ask_gives_the_librarys_derivatives(layers, ask):
    ours, library, x = layers
    assert equal([ask(loss(ours), x)], [ask(loss(library), x)])


def test_gradients_of_each_sequence_alone(layers):
    """As differential privacy asks for them, which the library's own kernels refuse."""
    ours, library, x = layers
    together = torch.func.vmap(torch.func.grad(loss(ours)), 1)(x[:, :, None])
    alone = [torch.autograd.functional.jacobian(loss(library), x[:, row : row + 1]) for row in range(x.shape[1])]
    assert equal(together, alone)


def test_forward_mode_is_right(layers):
    ours, library, x = layers
    with forward_ad.dual_level():
        tangents = [forward_ad.unpack_dual(layer(forward_ad.make_dual(x, x + 1))[0]).tangent
                    for layer in (ours, library)]
    assert equal(tangents[:1], tangents[1:])


def test_gradients_of_many_outputs_at_once(layers):
    *both, x = layers
    several, results = torch.randn(3, 4, 2, 6, dtype=torch.float64), []
    for layer in both:
        x = x.detach().requires_grad_()
        inputs = [x, *layer.parameters()]
        results.append(torch.autograd.grad(layer(x)[0], inputs, several, is_grads_batched=True))
    assert equal(*results)


def test_torchs_own_checkers(layers):
    ours, _, x = layers
    names = list(dict(ours.named_parameters()))
    parameters = [parameter.detach()[..., :1].clone().requires_grad_() for parameter in ours.parameters()]

    def run(x, *columns):
        whole = [torch.cat([column, parameter.detach()[..., 1:]], -1)
                 for column, parameter in zip(columns, ours.parameters())]
        output, final = torch.func.functional_call(ours, dict(zip(names, whole)), (x,))
        return output, *(final if isinstance(final, tuple) else (final,))

    leaves = (x[:2, :1].clone().requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(run, leaves, check_forward_ad=True, check_batched_grad=True, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, check_batched_grad=True, fast_mode=True)


def test_a_weight_that_depends_on_the_input_is_not_counted_twice():
    """The gradient of x alone is what goes on from the layer to x, whatever else the weights were made of."""
    results = []
    for layer in (LSTM(2, 3, dtype=torch.float64, fused=True), nn.LSTM(2, 3, dtype=torch.float64)):
        torch.manual_seed(0)
        x = torch.randn(4, 1, 2, dtype=torch.float64, requires_grad=True)
        made = {name: torch.ones_like(p) * x.mean() for name, p in layer.named_parameters()}
        value = torch.func.functional_call(layer, made, (x,))[0].sum()
        (d_x,) = torch.autograd.grad(value, x, create_graph=True)
        results.append([d_x, *torch.autograd.grad(d_x.square().sum(), x)])
    assert equal(*results)


@pytest.mark.parametrize("kind", KINDS)
def test_two_calls_do_not_answer_for_each_other(kind):
    torch.manual_seed(0)
    layer = KINDS[kind](2, 3, dtype=torch.float64, fused=True)
    first, second = (torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True) for _ in range(2))
    alone = torch.autograd.grad(loss(layer)(first), first)
    early, _ = loss(layer)(first), loss(layer)(second)
    assert equal(alone, torch.autograd.grad(early, first))


@pytest.mark.parametrize("kind", KINDS)
def test_weights_changed_between_forward_and_backward_are_noticed(kind):
    layer = KINDS[kind](2, 3, fused=True)
    value = loss(layer)(torch.ones(4, 2, 2))
    with torch.no_grad():
        layer.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.parametrize("kind", KINDS)
def test_compile_export_and_meta_tensors_take_it_whole(kind):
    torch.manual_seed(0)
    layer = KINDS[kind](2, 3, 2, bidirectional=True, fused=True)
    x, longer = torch.randn(5, 4, 2, requires_grad=True), torch.randn(9, 3, 2)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    inputs = [x, *layer.parameters()]
    torch.testing.assert_close(torch.autograd.grad(loss(compiled)(x), inputs),
                               torch.autograd.grad(loss(layer)(x), inputs))
    free = {0: torch.export.Dim("T"), 1: torch.export.Dim("B")}
    exported = torch.export.export(layer, (x.detach(),), dynamic_shapes=(free,)).module()
    torch.testing.assert_close(exported(longer), layer(longer))
    assert layer.to("meta")(longer.to("meta"))[0].shape == (9, 3, 6)
