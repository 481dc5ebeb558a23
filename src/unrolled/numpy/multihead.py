"""Multi-head attention (Vaswani et al. 2017, section 3.2.2) in NumPy, forward and backward.

Several heads attend side by side, each on its own d_h = d / h entries of the projected inputs, and one more matrix
mixes what they found:

    Q, K, V = X_q W_q' + b_q,  X_k W_k' + b_k,  X_v W_v' + b_v
    Y = [O_1 ... O_h] W_o' + b_o                            O of each head as in `attention`

Letters: B batch, T target steps (queries), S source steps (keys, values), d embed_dim, h num_heads, d_h = d / h.
Not here: `add_bias_kv` and `add_zero_attn`; `unrolled.torch` has them.
"""

import numpy as np

from unrolled import checks
from unrolled.numpy import stack
from unrolled.numpy.attention import added, scaled_dot_product, scaled_dot_product_backward
from unrolled.numpy.stack import Parameters, Stack, as_array, as_float_dtype, saved_by_forward


class MultiheadAttention(Parameters):
    """Attention in `num_heads` heads between learned projections: the NumPy twin of `torch.nn.MultiheadAttention`.

    Args:
        embed_dim, num_heads: d, the width of queries and outputs, and h, which divides it.
        dropout: probability with which a weight is zeroed while `training` is True.
        bias: learn b_q, b_k, b_v and b_o.
        kdim, vdim: widths of keys and values; d if left out.
        batch_first: inputs and outputs are (B, T, ·) instead of (T, B, ·).
        dtype: float32 or float64.
        seed: seed of the initial weights, Xavier's uniform ones but for W_o, and of the dropout masks.

    Raises:
        TypeError, ValueError: an argument outside what is listed above.
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, *, kdim=None, vdim=None, batch_first=False,
                 dtype=np.float32, seed=None):
        self.head_dim = checks.heads("embed_dim", embed_dim, num_heads)
        self.embed_dim, self.num_heads, self.training = embed_dim, num_heads, True
        self.dropout, self.bias = checks.probability("dropout", dropout), checks.flag("bias", bias)
        self.kdim = embed_dim if kdim is None else checks.positive_int("kdim", kdim)
        self.vdim = embed_dim if vdim is None else checks.positive_int("vdim", vdim)
        self.batch_first, self.dtype = checks.flag("batch_first", batch_first), as_float_dtype(dtype)
        self.rng, d = np.random.default_rng(seed), embed_dim
        if self.kdim == self.vdim == d:
            matrices = {"in_proj_weight": (3 * d, d)}                                # W_q, W_k and W_v, stacked
        else:
            matrices = {"q_proj_weight": (d, d), "k_proj_weight": (d, self.kdim), "v_proj_weight": (d, self.vdim)}
        shapes = matrices | ({"in_proj_bias": (3 * d,)} if bias else {})
        self.shapes = shapes | {"out_proj.weight": (d, d)} | ({"out_proj.bias": (d,)} if bias else {})
        bounds = {name: (6 / sum(shape)) ** 0.5 for name, shape in matrices.items()} | {"out_proj.weight": d**-0.5}
        self.parameters = {name: self.rng.uniform(-bound, bound, shape).astype(self.dtype)
                           for name, shape in self.shapes.items() for bound in [bounds.get(name, 0.0)]}

    _dropout_mask = Stack._dropout_mask

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
                average_attn_weights=True, is_causal=False):
        """Let every step of `query` attend to the steps of `key`, and return what it finds in `value`.

        Args:
            query: (T, B, d); (B, T, d) if batch_first; (T, d) unbatched.
            key, value: (S, B, kdim) and (S, B, vdim), or as `query`.
            key_padding_mask: (B, S), or (S,) unbatched; boolean, True = is left out, or float, added to the scores.
            need_weights: return the weights; None in their place if False.
            attn_mask: (T, S) or (B·h, T, S), boolean or float in the same way: the opposite of `scaled_dot_product`.
            average_attn_weights: return the mean over the heads, or a matrix for each.
            is_causal: step t sees the keys 0 ... t only; with masks, all hold.

        Returns:
            output: like `query`.
            weights: (B, T, S), or (B, h, T, S) for each head; (T, S) or (h, T, S) unbatched. After dropout.

        Raises:
            TypeError, ValueError: an array of another dtype or shape, or of a subclass.
        """
        self._saved = None                                                           # what is refused has no way back
        widths = self.embed_dim, self.kdim, self.vdim
        inputs = [as_array(name, x, self.dtype) for name, x in {"query": query, "key": key, "value": value}.items()]
        batched, B, T, S = checks.attention(*inputs, widths, self.batch_first)
        layout = "T" if not batched else "BT" if self.batch_first else "TB"
        mask = self._mask(key_padding_mask, attn_mask, batched, B, T, S)
        p = self._now(self.shapes)
        rows = [flat(np.array(batch_major(x, layout), order="C")) for x in inputs]               # (B·T or B·S, ·)  ours
        q, k, v = (self._split(x @ W.T + b, B, steps)                                            # (B, h, T or S, d_h)
                   for x, W, b, steps in zip(rows, *projections(p), (T, S, S)))
        keep = self._dropout_mask((B, self.num_heads, T, S))
        heads, weights = scaled_dot_product(q, k, v, mask, is_causal, keep=keep)
        heads = heads.swapaxes(1, 2).reshape(B * T, self.embed_dim)                              # side by side again
        output = heads @ p["out_proj.weight"].T + p.get("out_proj.bias", 0)
        shown = weights if keep is None else weights * keep                          # (B, h, T, S)
        averaged = checks.flag("average_attn_weights", average_attn_weights)
        shown = (shown.mean(1) if averaged else shown.copy()) if checks.flag("need_weights", need_weights) else None
        output = np.ascontiguousarray(from_batch_major(output.reshape(B, T, self.embed_dim), layout))
        shown = shown if batched or shown is None else shown[0]
        shapes = output.shape, None if shown is None else shown.shape
        self._saved = rows, q, k, v, keep, weights, heads, p, layout, shapes
        return output, shown

    def backward(self, d_output, d_weights=None):
        """Backpropagate through the last `forward`, with the weights and the dropout mask that it had.

        Args:
            d_output: dL/d output, shaped like `output`.
            d_weights: dL/d weights, shaped like `weights`; zeros if left out.

        Returns:
            d_query, d_key and d_value, shaped like what `forward` took, and a dict of parameter gradients. Where one
            array was two or all of the three, its gradient is their sum.

        Raises:
            RuntimeError: no `forward` before, or other parameters were loaded since.
            TypeError, ValueError: an array of another dtype or shape.
        """
        rows, q, k, v, keep, weights, heads, p, layout, (output_shape, shown) = saved_by_forward(self)
        B, h, T, S = weights.shape
        checks.shape("d_output", as_array("d_output", d_output, self.dtype), output_shape)
        d_rows = flat(np.ascontiguousarray(batch_major(d_output, layout)))                       # (B·T, d)
        d_heads = self._split(d_rows @ p["out_proj.weight"], B, T)                               # (B, h, T, d_h)
        if d_weights is not None:
            if shown is None:
                raise ValueError("d_weights needs a forward with need_weights=True")
            checks.shape("d_weights", as_array("d_weights", d_weights, self.dtype), shown)
            averaged = len(shown) == (2 if layout == "T" else 3)
            d_weights = d_weights.reshape(B, 1 if averaged else h, T, S) / (h if averaged else 1)
            d_weights = np.broadcast_to(d_weights, weights.shape) * (1 if keep is None else keep)
        d_split = scaled_dot_product_backward(d_heads, q, k, v, weights, keep=keep, d_weights=d_weights)
        d_projected = [d.swapaxes(1, 2).reshape(len(x), self.embed_dim) for d, x in zip(d_split, rows)]     # (B·T, d)
        d_inputs = [from_batch_major((d @ W).reshape(B, steps, W.shape[1]), layout)
                    for d, W, steps in zip(d_projected, projections(p)[0], (T, S, S))]
        d_matrices = [d.T @ x for d, x in zip(d_projected, rows)]
        if "in_proj_weight" in p:
            grads = {"in_proj_weight": np.concatenate(d_matrices)}
        else:
            grads = dict(zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), d_matrices))
        grads |= {"in_proj_bias": np.concatenate([d.sum(0) for d in d_projected]),
                  "out_proj.weight": d_rows.T @ heads, "out_proj.bias": d_rows.sum(0)}
        return *map(np.ascontiguousarray, d_inputs), {name: grads[name] for name in p}

    def _mask(self, key_padding_mask, attn_mask, batched, B, T, S):
        """Both masks as one that is added to (B, h, T, S), or None."""
        parts = []
        if key_padding_mask is not None:
            mask = added("key_padding_mask", key_padding_mask, self.dtype, left_out=True)
            checks.shape("key_padding_mask", mask, (B, S) if batched else (S,))
            parts.append(mask.reshape(B, 1, 1, S))
        if attn_mask is not None:
            mask = added("attn_mask", attn_mask, self.dtype, left_out=True)
            checks.shape("attn_mask", mask, (B * self.num_heads, T, S) if mask.ndim == 3 else (T, S))
            parts.append(mask.reshape(B, self.num_heads, T, S) if mask.ndim == 3 else mask)
        return sum(parts) if parts else None

    def _split(self, rows, B, steps):
        """(B·T, d) as (B, h, T, d_h), a view."""
        return rows.reshape(B, steps, self.num_heads, self.head_dim).swapaxes(1, 2)


def projections(p):
    """W_q, W_k, W_v and b_q, b_k, b_v, as views into the parameters."""
    stacked = "in_proj_weight" in p
    matrices = np.split(p["in_proj_weight"], 3) if stacked else [p[f"{name}_proj_weight"] for name in "qkv"]
    return matrices, np.split(p["in_proj_bias"], 3) if "in_proj_bias" in p else (0, 0, 0)


def flat(rows):
    """(B, T, ·) as (B·T, ·)."""
    return rows.reshape(rows.shape[0] * rows.shape[1], rows.shape[2])


def batch_major(array, layout):
    """A view as (B, T, ·) of whatever layout the caller uses."""
    return stack.time_major(array, layout).swapaxes(0, 1)


def from_batch_major(array, layout):
    """The way back, a view."""
    return stack.from_time_major(array.swapaxes(0, 1), layout)
