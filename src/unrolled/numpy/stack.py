"""What every NumPy layer shares: named parameters, stacking, two directions, the layouts torch knows.

A model brings its equations, one layer and one direction at a time, and its cell is the same on one step:

    _shapes(width)              names and shapes of the parameters that read inputs of this width
    _run(x, state, p)           output (T, B, H), final state, and the way back, a function:
    back(d_output, d_state)     d_x, d_state, and the parameters' gradients by name

where x is (T, B, width), states are tuples, (h,) or (h, c), of (B, H) arrays, and p holds the parameters by name. Which
equations run is decided once, in `_run`: the way back that it returns is theirs. Nothing in this file knows what a cell
computes.

Letters: T steps, B batch, D input_size, H hidden_size, L num_layers, N directions.
"""

import numpy as np

from unrolled import checks


class Parameters:
    """Arrays by torch's names, in `self.parameters`, all of `self.dtype`."""

    _saved = None                                                        # what the last `forward` keeps for `backward`

    def state_dict(self):
        """Copies of the parameters under torch's names."""
        return {name: value.copy() for name, value in self.parameters.items()}

    def load_state_dict(self, given):
        """Take parameters, and with them the dtype, from a dict of arrays or CPU tensors under torch's names.

        Raises:
            TypeError, ValueError: a name missing or unexpected, a shape that does not fit, or dtypes that are not all
                float32 or all float64. The layer keeps what it had.

        A `backward` after it needs a new `forward`: the old one belongs to the old weights.
        """
        checks.state_dict(self.parameters, given)
        arrays = {name: plain(name, given[name]).copy() for name in self.parameters}
        dtypes = sorted({str(array.dtype) for array in arrays.values()} or {str(self.dtype)})
        if dtypes not in (["float32"], ["float64"]):
            raise TypeError(f"state_dict must be all float32 or all float64, got {', '.join(dtypes)}")
        self.parameters, self.dtype = arrays, np.dtype(dtypes[0])
        self._saved = None

    state_names = ("h",)                                                 # an LSTM carries two arrays, h and c

    def _now(self, shapes, suffix=""):
        """Copies of the parameters of these names and shapes: `backward` answers for the weights of its `forward`."""
        p = {}
        for name, expected in shapes.items():
            value = as_array(name + suffix, self.parameters[name + suffix], self.dtype, "the layer")
            checks.shape(name + suffix, value, expected)                 # a row would broadcast, and nobody would know
            p[name] = value.copy()
        return p

    def _states(self, name, given, shape):
        """A state as a tuple of arrays: zeros for None, one array or, with two names, a pair of them."""
        if given is None:
            return tuple(np.zeros(shape, self.dtype) for _ in self.state_names)
        parts = {}
        for part, value in checks.states(name, given, self.state_names).items():
            parts[part] = as_array(part, value, self.dtype)
            checks.shape(part, value, shape)
        return tuple(parts.values())

    def _as_given(self, states):
        """The way back: the array itself, or the pair."""
        return states[0] if len(states) == 1 else tuple(states)


class Cell(Parameters):
    """One step: a sequence of length 1, run by the equations of the layer."""

    def __init__(self, input_size, hidden_size, bias, dtype, seed):
        checks.cell(input_size, hidden_size, bias)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.dtype = as_float_dtype(dtype)
        self.parameters = initial_parameters(self._shapes(input_size), hidden_size, self.dtype, seed)

    def forward(self, x, state=None):
        """Take one step.

        Args:
            x: input, (B, D), or (D,) unbatched.
            state: h_{t-1}, (B, H) or (H,), for an LSTM the pair (h_{t-1}, c_{t-1}); zeros if left out.

        Returns:
            The next state, like `state`.

        Raises:
            TypeError, ValueError: an array of another dtype or shape.
        """
        self._saved = None                                               # an input that is refused has no way back
        x = as_array("input", x, self.dtype)
        checks.step(x, self.input_size)
        shape = (*x.shape[:-1], self.hidden_size)
        state = [np.atleast_2d(part) for part in self._states("state", state, shape)]            # (B, H) each
        steps = np.array(np.atleast_2d(x)[None])                         # (1, B, D)  ours: the caller may reuse x
        _, state, back = self._run(steps, tuple(state), self._now(self._shapes(self.input_size)))
        self._saved = back, x.shape, shape
        return self._as_given([part.reshape(shape).copy() for part in state])

    def backward(self, d_state):
        """Backpropagate through the last `forward`, with the weights that it had.

        Args:
            d_state: dL/d state, like the state that `forward` returned.

        Returns:
            d_x, dL/d state of the step before, and a dict of parameter gradients.

        Raises:
            RuntimeError: no `forward` before, or other parameters were loaded since.
            TypeError, ValueError: an array of another dtype or shape.
        """
        back, x_shape, shape = saved_by_forward(self)
        d_state = checks.given("d_state", d_state)
        d_state = tuple(np.atleast_2d(part).copy() for part in self._states("d_state", d_state, shape))
        d_output = np.zeros_like(d_state[0])[None]                       # (1, B, H)  the output is the state itself
        d_x, d_state, grads = back(d_output, d_state)
        grads = {name: grads[name] for name in self.parameters}
        return d_x.reshape(x_shape), self._as_given([part.reshape(shape) for part in d_state]), grads


class Stack(Parameters):
    """`num_layers` layers in one or two directions, each run by `_run`."""

    def __init__(self, input_size, hidden_size, num_layers=1, bias=True, batch_first=False,
                 dropout=0.0, bidirectional=False, *, dtype=np.float32, seed=None):
        checks.layer(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional = bias, batch_first, bidirectional
        self.dropout = dropout
        self.dtype = as_float_dtype(dtype)
        self.training = True
        self.rng = np.random.default_rng(seed)
        shapes = {}
        for layer, suffix in self._directions():
            shapes |= {name + suffix: shape for name, shape in self._shapes(self._width(layer)).items()}
        self.parameters = initial_parameters(shapes, hidden_size, self.dtype, self.rng)

    def _directions(self):
        """(layer, suffix of its parameter names) in torch's order, which is also the order of the states."""
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def _width(self, layer):
        """How wide the inputs of a layer are: the upper ones read both directions of the one below."""
        return self.input_size if layer == 0 else self.hidden_size * (1 + self.bidirectional)

    def forward(self, x, state=None):
        """Run the stack over a batch of sequences.

        Args:
            x: inputs, (T, B, D); (B, T, D) if batch_first; (T, D) unbatched.
            state: h_0 of each layer and direction, (L·N, B, H), or (L·N, H) unbatched, for an LSTM the pair
                (h_0, c_0); zeros if left out.

        Returns:
            output: the last layer's states h, (T, B, N·H), (B, T, N·H) or (T, N·H).
            h_n: the final state of each layer and direction, like `state`; for an LSTM the pair (h_n, c_n).

        Raises:
            TypeError, ValueError: an array of another dtype or shape, or of no steps, or a subclass of
                arrays; or a parameter that such an array has replaced.
        """
        # An input that is refused has no way back. The last one's memory is given back at the end, when ours is there:
        # pages returned and asked for again cost a sixth of the time.
        _earlier, self._saved = self._saved, None
        x = as_array("input", x, self.dtype)
        batched, T, B = checks.sequence(x, self.input_size, self.batch_first)
        layout = "TB" if batched and not self.batch_first else "BT" if batched else "T"
        names, H = list(self._directions()), self.hidden_size
        state_shape = (len(names), B, H) if batched else (len(names), H)
        state = [part.reshape(len(names), B, H) for part in self._states("state", state, state_shape)]

        layer_input = np.array(time_major(x, layout), order="C")  # (T, B, D)  ours: the caller may reuse x
        ways_back, masks, outputs, final = [], [], [], [np.empty_like(part) for part in state]
        for k, (layer, suffix) in enumerate(names):
            reverse = suffix.endswith("reverse")
            steps = layer_input[::-1] if reverse else layer_input        # the other direction: time flipped
            p = self._now(self._shapes(self._width(layer)), suffix)
            output, last, back = self._run(steps, tuple(part[k] for part in state), p)
            ways_back.append(back)
            for part, value in zip(final, last):
                part[k] = value
            outputs.append(output[::-1] if reverse else output)          # (T, B, H) each
            if len(outputs) == 1 + self.bidirectional:
                output = np.concatenate(outputs, axis=-1)                # (T, B, N·H)
                outputs = []
                if layer < self.num_layers - 1:
                    mask = self._dropout_mask(output.shape)
                    masks.append(mask)
                    layer_input = output if mask is None else output * mask
        output = np.ascontiguousarray(from_time_major(output, layout))
        self._saved = ways_back, masks, layout, output.shape, state_shape
        return output, self._as_given([part.reshape(state_shape) for part in final])

    def backward(self, d_output, d_state=None):
        """Backpropagate through the last `forward`, with the weights, options and dropout masks that it had.

        Args:
            d_output: dL/d output, shaped like `output`.
            d_state: dL/d h_n, like `h_n`; zeros if left out.

        Returns:
            d_x and dL/d state, shaped like `x` and `state`, and a dict of parameter gradients.

        Raises:
            RuntimeError: no `forward` before, or other parameters were loaded since.
            TypeError, ValueError: an array of another dtype or shape.
        """
        ways_back, masks, layout, output_shape, state_shape = saved_by_forward(self)
        names, H, N = list(self._directions()), self.hidden_size, 1 + self.bidirectional
        d_output = as_array("d_output", d_output, self.dtype)
        checks.shape("d_output", d_output, output_shape)
        d_layer = time_major(d_output, layout)                           # (T, B, N·H)  dL/d output of the layer
        d_final = [part.reshape(len(names), d_layer.shape[1], H)
                   for part in self._states("d_state", d_state, state_shape)]
        d_first, grads, d_inputs = [np.empty_like(part) for part in d_final], {}, []
        for k, (layer, suffix) in reversed(list(enumerate(names))):
            reverse = suffix.endswith("reverse")
            d_states = d_layer[::-1, :, H:] if reverse else d_layer[:, :, :H]
            d_steps, d_start, d_parameters = ways_back[k](d_states, tuple(part[k] for part in d_final))
            for part, value in zip(d_first, d_start):
                part[k] = value
            grads |= {name + suffix: value for name, value in d_parameters.items()}
            d_inputs.append(d_steps[::-1] if reverse else d_steps)
            if len(d_inputs) == N:
                d_layer = np.add(*d_inputs) if N == 2 else d_inputs[0]   # both directions read the same input
                d_inputs = []
                if layer > 0 and (mask := masks[layer - 1]) is not None:
                    d_layer = d_layer * mask
        grads = {name: grads[name] for name in self.parameters}
        d_first = [part.reshape(state_shape) for part in d_first]
        d_x = np.ascontiguousarray(from_time_major(d_layer, layout))
        return d_x, self._as_given(d_first), grads

    def _dropout_mask(self, shape):
        if not self.training or self.dropout == 0:
            return None
        if self.dropout == 1:
            return np.zeros(shape, self.dtype)
        return (self.rng.random(shape) >= self.dropout).astype(self.dtype) / self.dtype.type(1 - self.dropout)


def time_major(array, layout):
    """A view as (T, B, ·) of what a caller gave as "TB", "BT" or, without a batch, "T"."""
    return array[:, None] if layout == "T" else array.swapaxes(0, 1) if layout == "BT" else array


def from_time_major(array, layout):
    """The way back from (T, B, ·), a view."""
    return array[:, 0] if layout == "T" else array.swapaxes(0, 1) if layout == "BT" else array


def initial_parameters(shapes, hidden_size, dtype, seed):
    """Every entry uniform in ±1/sqrt(H), PyTorch's default for recurrent layers."""
    bound, rng = hidden_size**-0.5, np.random.default_rng(seed)
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def sigmoid(a, out=None):
    """σ(a) = ½ tanh(½a) + ½: unlike exp(-a), it cannot overflow."""
    out = np.multiply(a, 0.5, out=out)
    np.tanh(out, out=out)
    out *= 0.5
    out += 0.5
    return out


def summed_bias(p):
    """b_W + b_U: two vectors in torch's layout, one in the equation; 0 for a layer without."""
    return p["bias_ih"] + p["bias_hh"] if "bias_ih" in p else 0


def with_biases(p, grads, d_bias):
    """Add the gradient of each of two biases that enter as a sum: it is that of the sum."""
    return grads | ({"bias_ih": d_bias, "bias_hh": d_bias.copy()} if "bias_ih" in p else {})


def as_float_dtype(dtype):
    if dtype is None:                                                    # NumPy reads None as float64
        raise TypeError("dtype must be float32 or float64, got None")
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    return dtype


def as_array(name, value, dtype, whose="the parameters", besides=""):
    """Return `value`; raise unless it is a NumPy array of `dtype`. Nothing is cast behind the caller's back."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, got {type(value).__name__}")
    value = plain(name, value)
    if value.dtype != dtype:
        raise TypeError(f"{name} must be {besides}{dtype}, like {whose}, got {value.dtype}")
    return value


def plain(name, value):
    """Return `value` as a NumPy array; raise if it is of a subclass, other than an array on disk (`memmap`).

    Only the numbers of a subclass would be read, and what it means by them lost: which ones a masked array hides, that
    `*` of matrices is their product, the unit of a quantity.
    """
    if isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap):
        raise TypeError(f"{name} must be a plain numpy array, got {type(value).__name__}")
    return np.asarray(value)


def saved_by_forward(layer):
    if layer._saved is None:
        raise RuntimeError(f"{type(layer).__name__}.backward needs a forward before it")
    return layer._saved
