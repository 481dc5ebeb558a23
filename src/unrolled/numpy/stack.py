"""What every NumPy layer shares: named parameters, stacking, two directions, the layouts torch knows.

A layer that inherits from `Stack` brings its equations as `_run` and `_run_backward`, one layer and one direction at
a time; nothing in this file knows what a cell computes.

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
        arrays = {name: np.asarray(given[name]).copy() for name in self.parameters}
        dtypes = sorted({str(array.dtype) for array in arrays.values()})
        if dtypes not in (["float32"], ["float64"]):
            raise TypeError(f"state_dict must be all float32 or all float64, got {', '.join(dtypes)}")
        self.parameters, self.dtype = arrays, np.dtype(dtypes[0])
        self._saved = None


class Stack(Parameters):
    """`num_layers` layers in one or two directions, each run by `_run` and `_run_backward`."""

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
            width = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            shapes["weight_ih" + suffix] = hidden_size, width
            shapes["weight_hh" + suffix] = hidden_size, hidden_size
            if bias:
                shapes["bias_ih" + suffix] = shapes["bias_hh" + suffix] = (hidden_size,)
        self.parameters = initial_parameters(shapes, hidden_size, self.dtype, self.rng)

    def _directions(self):
        """(layer, suffix of its parameter names) in torch's order, which is also the order of the states."""
        for layer in range(self.num_layers):
            yield layer, f"_l{layer}"
            if self.bidirectional:
                yield layer, f"_l{layer}_reverse"

    def _weights(self, suffix):
        p = self.parameters
        return p["weight_ih" + suffix], p["weight_hh" + suffix], summed_bias(p, suffix)

    def forward(self, x, state=None):
        """Run the stack over a batch of sequences.

        Args:
            x: inputs, (T, B, D); (B, T, D) if batch_first; (T, D) unbatched.
            state: h_0 of each layer and direction, (L·N, B, H), or (L·N, H) unbatched; zeros if left out.

        Returns:
            output: the last layer's states, (T, B, N·H), (B, T, N·H) or (T, N·H).
            h_n: the final state of each layer and direction, (L·N, B, H) or (L·N, H).

        Raises:
            TypeError, ValueError: an array of another dtype or shape, or of no steps or no sequences.
        """
        x = as_array("input", x, self.dtype)
        batched, T, B = checks.sequence(x, self.input_size, self.batch_first)
        names = list(self._directions())
        state_shape = (len(names), B, self.hidden_size) if batched else (len(names), self.hidden_size)
        state = np.zeros(state_shape, self.dtype) if state is None else as_array("state", state, self.dtype)
        checks.shape("state", state, state_shape)

        layer_input = np.array(self._time_major(x, batched), order="C")  # (T, B, D)  ours: the caller may reuse x
        h0 = state.reshape(len(names), B, self.hidden_size)
        saved = {"batched": batched, "runs": [], "masks": []}
        outputs, h_n = [], np.empty_like(h0)
        for k, (layer, suffix) in enumerate(names):
            reverse = suffix.endswith("reverse")
            steps = layer_input[::-1] if reverse else layer_input        # the other direction: time flipped
            states = self._run(steps, h0[k], *self._weights(suffix))
            saved["runs"].append((steps, states))
            h_n[k] = states[-1]
            outputs.append(states[:0:-1] if reverse else states[1:])     # (T, B, H) each
            if len(outputs) == 1 + self.bidirectional:
                output = np.concatenate(outputs, axis=-1)                # (T, B, N·H)
                outputs = []
                if layer < self.num_layers - 1:
                    mask = self._dropout_mask(output.shape)
                    saved["masks"].append(mask)
                    layer_input = output if mask is None else output * mask
        self._saved = saved
        return np.ascontiguousarray(self._time_major(output, batched, back=True)), h_n.reshape(state_shape)

    def backward(self, d_output, d_state=None):
        """Backpropagate through the last `forward`.

        Args:
            d_output: dL/d output, shaped like `output`.
            d_state: dL/d h_n, shaped like `h_n`; zeros if left out.

        Returns:
            d_x and dL/dh_0, shaped like `x` and `state`, and a dict of parameter gradients.

        Raises:
            RuntimeError: no `forward` before.
            TypeError, ValueError: an array of another dtype or shape.
        """
        saved = saved_by_forward(self)
        names, batched = list(self._directions()), saved["batched"]
        T, B, _ = saved["runs"][0][0].shape
        H, N = self.hidden_size, 1 + self.bidirectional
        d_output = as_array("d_output", d_output, self.dtype)
        expected = ((B, T, N * H) if self.batch_first else (T, B, N * H)) if batched else (T, N * H)
        checks.shape("d_output", d_output, expected)
        state_shape = (len(names), B, H) if batched else (len(names), H)
        d_state = np.zeros(state_shape, self.dtype) if d_state is None else as_array("d_state", d_state, self.dtype)
        checks.shape("d_state", d_state, state_shape)

        d_layer = self._time_major(d_output, batched)                    # (T, B, N·H)  dL/d output of the layer
        d_h_n = d_state.reshape(len(names), B, H)
        d_h0, grads, d_inputs = np.empty_like(d_h_n), {}, []
        for k, (layer, suffix) in reversed(list(enumerate(names))):
            reverse = suffix.endswith("reverse")
            steps, states = saved["runs"][k]
            d_states = d_layer[::-1, :, H:] if reverse else d_layer[:, :, :H]
            d_steps, d_h0[k], d_weight_ih, d_weight_hh, d_bias = self._run_backward(
                d_states, d_h_n[k], steps, states, *self._weights(suffix)
            )
            grads["weight_ih" + suffix], grads["weight_hh" + suffix] = d_weight_ih, d_weight_hh
            if self.bias:                                                # a sum of two biases: each gets its gradient
                grads["bias_ih" + suffix], grads["bias_hh" + suffix] = d_bias, d_bias.copy()
            d_inputs.append(d_steps[::-1] if reverse else d_steps)
            if len(d_inputs) == N:
                d_layer, d_inputs = sum(d_inputs), []                    # both directions read the same input
                if layer > 0 and (mask := saved["masks"][layer - 1]) is not None:
                    d_layer = d_layer * mask
        grads = {name: grads[name] for name in self.parameters}
        return np.ascontiguousarray(self._time_major(d_layer, batched, back=True)), d_h0.reshape(state_shape), grads

    def _time_major(self, array, batched, back=False):
        """A view as (T, B, ·) of whatever layout the caller uses; `back` returns to it."""
        if not batched:
            return array[:, 0] if back else array[:, None]
        return array.swapaxes(0, 1) if self.batch_first else array

    def _dropout_mask(self, shape):
        if not self.training or self.dropout == 0:
            return None
        if self.dropout == 1:
            return np.zeros(shape, self.dtype)
        return (self.rng.random(shape) >= self.dropout).astype(self.dtype) / self.dtype.type(1 - self.dropout)


def initial_parameters(shapes, hidden_size, dtype, seed):
    """Every entry uniform in ±1/sqrt(H), PyTorch's default for recurrent layers."""
    bound, rng = hidden_size**-0.5, np.random.default_rng(seed)
    return {name: rng.uniform(-bound, bound, shape).astype(dtype) for name, shape in shapes.items()}


def summed_bias(parameters, suffix=""):
    """b_W + b_U: two vectors in torch's layout, one in the equation; 0 for a layer without."""
    return parameters["bias_ih" + suffix] + parameters["bias_hh" + suffix] if "bias_ih" + suffix in parameters else 0


def as_float_dtype(dtype):
    if dtype is None:                                                    # NumPy reads None as float64
        raise TypeError("dtype must be float32 or float64, got None")
    dtype = np.dtype(dtype)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    return dtype


def as_array(name, value, dtype):
    """Return `value`; raise unless it is a NumPy array of `dtype`. Nothing is cast behind the caller's back."""
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a numpy array, got {type(value).__name__}")
    if value.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, like the parameters, got {value.dtype}")
    return value


def saved_by_forward(layer):
    if layer._saved is None:
        raise RuntimeError(f"{type(layer).__name__}.backward needs a forward before it")
    return layer._saved
