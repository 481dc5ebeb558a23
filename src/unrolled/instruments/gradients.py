"""Probes for gradients that travel through time: Jacobians of the state, norms, clipping, truncation.

The recurrence is h_t = phi(W x_t + U h_{t-1} + b), so one step back is the Jacobian

    J_t = dh_t / dh_{t-1} = diag(phi'(a_t)) U              (H, H)

and k steps back are the product J_T J_{T-1} ... J_{T-k+1}. Sources: Bengio, Simard & Frasconi 1994; Pascanu, Mikolov &
Bengio 2013, whose Theorem 1 bounds the product and whose section 3.2 clips the norm.
"""

import math

import numpy as np
import torch

from unrolled import checks
from unrolled.numpy.stack import plain


def step_jacobians(states, weight_hh, nonlinearity="tanh"):
    """J_t = diag(phi'(a_t)) U for every step.

    Args:
        states: h_1 ... h_T of one sequence, (T, H).
        weight_hh: U, (H, H).
        nonlinearity: "tanh", "relu" or "identity".

    Returns:
        (T, H, H), in float64.

    Raises:
        ValueError: shapes that do not fit, an unknown nonlinearity, or values that are not finite.
    """
    checks.choice("nonlinearity", nonlinearity, ("tanh", "relu", "identity"))
    states, weight_hh = _finite("states", states), _finite("weight_hh", weight_hh)
    checks.shape("weight_hh", weight_hh, ("H", "H"))
    checks.shape("states", states, ("T", len(weight_hh)))
    slope = {"tanh": lambda h: 1 - h * h, "relu": lambda h: np.where(h > 0, 1.0, 0.0), "identity": np.ones_like}
    return slope[nonlinearity](states)[:, :, None] * weight_hh          # (T, H, 1) * (H, H)


def gru_step_jacobians(layer, x):
    """dh_t / dh_{t-1} at every step of a GRU with the reset after the matrix, in closed form.

        J_t = diag(z) + diag((h_{t-1} - n) z (1 - z)) U_z + diag((1 - z) (1 - n^2) r) U_n
            + diag((1 - z) (1 - n^2) m r (1 - r)) U_r,                               m = U_n h_{t-1} + b_Un

    Args:
        layer: a `torch.nn.GRU`, or one with its parameters, of one layer and one direction.
        x: inputs of one sequence that starts from a state of zeros, (T, D), a tensor.

    Returns:
        (T, H, H), an array.
    """
    p = {name: value.detach().numpy() for name, value in layer.named_parameters()}
    U_r, U_z, U_n = np.split(p["weight_hh_l0"], 3)                      # (H, H) each
    h, found = np.zeros(len(U_r), U_r.dtype), []
    for drive in x.detach().numpy() @ p["weight_ih_l0"].T + p["bias_ih_l0"]:
        past = p["weight_hh_l0"] @ h + p["bias_hh_l0"]
        (a_r, a_z, a_n), (m_r, m_z, m) = np.split(drive, 3), np.split(past, 3)
        r, z = (1 / (1 + np.exp(-a)) for a in (a_r + m_r, a_z + m_z))
        n = np.tanh(a_n + r * m)
        through_z, through_n = (h - n) * z * (1 - z), (1 - z) * (1 - n**2)
        found.append(np.diag(z) + through_z[:, None] * U_z
                     + through_n[:, None] * (r[:, None] * U_n + (m * r * (1 - r))[:, None] * U_r))
        h = z * h + (1 - z) * n
    return np.array(found)


def jacobian_norms(jacobians):
    """The spectral norm of dh_T / dh_{T-k} for k = 0 ... T.

    Args:
        jacobians: J_1 ... J_T, (T, H, H).

    Returns:
        (T + 1,), in float64; entry k belongs to k steps back, so entry 0 is 1.

    Raises:
        ValueError: not (T, H, H), or values that are not finite.
    """
    jacobians = _finite("jacobians", jacobians)
    checks.shape("jacobians", jacobians, ("T", "H", "H"))
    product = np.eye(jacobians.shape[-1])
    norms = [1.0]
    for jacobian in jacobians[::-1]:                                    # J_T first: the product grows to the right
        product = product @ jacobian
        norms.append(np.linalg.norm(product, 2))
    return np.array(norms)


def temporal_jacobian(step, state, inputs):
    """dh_T / dh_0 of any recurrence, by automatic differentiation: the check on the closed form.

    Args:
        step: a function (x_t, h) -> h, both unbatched tensors; a cell will do.
        state: h_0, (H,).
        inputs: x_1 ... x_T, (T, D).

    Returns:
        (H, H); row i holds the derivative of h_T's entry i.

    Raises:
        TypeError, ValueError: `state` or `inputs` is not a tensor of that rank.
    """
    for name, value, expected in (("state", state, ("H",)), ("inputs", inputs, ("T", "D"))):
        if not isinstance(value, torch.Tensor):
            raise TypeError(f"{name} must be a torch tensor, got {type(value).__name__}")
        checks.shape(name, value, expected)

    def final(h):
        for x in inputs:
            h = step(x, h)
        return h

    return torch.autograd.functional.jacobian(final, state)


def gradient_norm(parameters):
    """The Euclidean norm of all gradients taken as one vector.

    Args:
        parameters: tensors with a `grad`; those without one are left out.

    Returns:
        A float; not finite if a gradient is not.

    Raises:
        ValueError: no parameter has a gradient.
    """
    grads = [parameter.grad for parameter in _several(parameters) if parameter.grad is not None]
    if not grads:
        raise ValueError("expected parameters with a gradient, got none: call backward() first")
    norms = [torch.linalg.vector_norm(grad, dtype=torch.float64).item() for grad in grads]   # 1e20² is no float32
    return math.hypot(*norms)


def clip_grad_norm(parameters, max_norm):
    """g <- g · min(1, max_norm / ||g||), in place: the length changes, the direction does not.

    Args:
        parameters: tensors with a `grad`.
        max_norm: the threshold tau, positive.

    Returns:
        The norm before clipping.

    Raises:
        TypeError, ValueError: `max_norm` is not a positive number, no gradient is there, or the norm is not finite;
            nothing is changed.
    """
    max_norm = checks.positive_number("max_norm", max_norm)
    parameters = _several(parameters)
    norm = gradient_norm(parameters)
    if not math.isfinite(norm):
        raise ValueError(f"expected a finite gradient norm, got {norm}: scaling cannot mend it, skip this update")
    if norm > max_norm:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.mul_(max_norm / norm)
    return norm


def clip_grad_value(parameters, max_value):
    """Cut every entry of every gradient to [-max_value, max_value], in place: the direction changes too.

    Args:
        parameters: tensors with a `grad`.
        max_value: positive.

    Raises:
        TypeError, ValueError: `max_value` is not a positive number, no gradient is there, or one is not finite; nothing
            is changed.
    """
    max_value = checks.positive_number("max_value", max_value)
    parameters = _several(parameters)
    if not math.isfinite(norm := gradient_norm(parameters)):
        raise ValueError(f"expected finite gradients, got a norm of {norm}: skip this update")
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.clamp_(-max_value, max_value)


def truncated_bptt(layer, loss, x, targets, chunk, state=None):
    """Accumulate gradients over one long sequence, chunk by chunk; the state is carried on, the gradient is not.

    Each chunk's graph is freed by its own backward pass, so memory depends on `chunk` and not on T. Source: Williams &
    Peng 1990, in the form that every library uses (chunk = both how far back and how often).

    Args:
        layer: a recurrent layer, (T, B, D) and a state -> (T, B, H) and a state: a tensor, or tuples and lists of them.
        loss: a function of (output, targets) of one chunk that returns a sum over its steps, not a mean.
        x: inputs, (T, B, D).
        targets: anything sliceable along its first axis, T long.
        chunk: steps a chunk, at least 1; the last one may be shorter.
        state: initial state, or None.

    Returns:
        The loss summed over all steps, as a float, and the final state, detached.

    Raises:
        TypeError, ValueError: `chunk` is not a whole number of at least 1, x and targets differ in length or are empty,
            the layer returns no state, or it is `batch_first` (a chunk would be cut from the batch) or bidirectional
            (its second direction would need the future), or it holds a module that is. A module that turns the axes for
            such a part is taken at its word if it comes as a function, `lambda x, state: module(x, state)`.
    """
    chunk = checks.positive_int("chunk", chunk)
    check_divisible(layer, x, targets)
    total = 0.0
    for start in range(0, len(x), chunk):
        output, state = layer(x[start : start + chunk], state)
        chunk_loss = loss(output, targets[start : start + chunk])
        chunk_loss.backward()
        state = detach(state)
        total += chunk_loss.item()
    return total, state


def check_divisible(layer, x, targets):
    """Raise unless the sequence can be cut along time and run piece by piece, as `truncated_bptt` says."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"input must be a torch tensor, got {type(x).__name__}")
    for path, module in layer.named_modules() if isinstance(layer, torch.nn.Module) else [("", layer)]:
        for name in ("batch_first", "bidirectional"):
            if getattr(module, name, False):
                raise ValueError(f"the layer must have {name}=False, got True" + f" in its {path}" * bool(path))
    if len(x) == 0:
        raise ValueError("input must hold at least one step (T >= 1), got none")
    if len(x) != len(targets):
        raise ValueError(f"targets must be as long as the input, {len(x)} steps, got {len(targets)}")


def detach(state):
    """The same numbers without their history: a tensor, or a tuple of them as an LSTM has, or a list."""
    if isinstance(state, tuple | list):
        return type(state)(map(detach, state))
    if not isinstance(state, torch.Tensor):
        raise TypeError(f"the layer must return a state of tensors, got {type(state).__name__}")
    return state.detach()


def gradient_by_use(layer, loss, x, state=None):
    """dL/dU split into one term for each use of U.

    Step t is given a copy U_t of the recurrent weights. All copies hold the same numbers, so the states are the layer's
    own; but each has a gradient of its own, and by the chain rule dL/dU is their sum.

    Args:
        layer: an RNN of one layer and one direction, ours or `torch.nn`'s.
        loss: a function of the states h_1 ... h_T, (T, B, H), that returns a scalar.
        x: inputs, (T, B, D).
        state: h_0, (1, B, H); zeros if left out.

    Returns:
        dL/dU_1 ... dL/dU_T, (T, H, H).

    Raises:
        ValueError: more than one layer or direction, `batch_first`, or x not (T, B, D).
    """
    if layer.num_layers != 1 or layer.bidirectional or layer.batch_first:
        raise ValueError("expected one layer, one direction and batch_first=False")
    checks.shape("input", x, ("T", "B", layer.input_size))
    phi = {"tanh": torch.tanh, "relu": torch.relu}[layer.nonlinearity]
    weight = layer.weight_hh_l0.detach()
    copies = [weight.clone().requires_grad_() for _ in x]       # U_1 ... U_T
    bias = layer.bias_ih_l0 + layer.bias_hh_l0 if layer.bias else 0
    drive = x @ layer.weight_ih_l0.T + bias                     # (T, B, H)
    h = x.new_zeros(x.shape[1], layer.hidden_size) if state is None else state[0]
    states = []
    for drive_t, copy in zip(drive.detach(), copies):
        h = phi(drive_t + h @ copy.T)                           # (B, H)  step t has its own U_t
        states.append(h)
    grads = torch.autograd.grad(loss(torch.stack(states)), copies, materialize_grads=True)
    return torch.stack(grads)


def _finite(name, values):
    values = plain(name, values).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} must be finite, got {np.count_nonzero(~np.isfinite(values))} entries that are not")
    return values


def _several(parameters):
    return [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
