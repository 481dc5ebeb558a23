"""Causal multi-head attention in a block: what distance costs, how far it sees, what is normalised and where."""

import numpy as np

from coursework.family import checks, reference, statement
from coursework.family.assignment import Assignment, Row

AXES = {
    "penalty": ("linear", "root", "saturating"),          # never none: the book prints that backward pass
    "window": ("none", "3", "5"),
    "heads": ("as they are", "unit", "rms"),
    "place": ("before", "after"),
    "norm": ("rms", "layer"),
    "scale": ("1 / sqrt(N)", "1 / N"),
}
SPECIMEN = {"penalty": "root", "window": "3", "heads": "as they are", "place": "after", "norm": "layer",
            "scale": "1 / N"}


def normalise(xp, variant, a, gain):
    """The block's normalisation over the width."""
    width = a.shape[-1]
    if variant["norm"] == "layer":
        a = a - xp.sum(a, -1, keepdims=True) / width
    return a / xp.sqrt(xp.sum(a * a, -1, keepdims=True) / width + 1e-5) * gain


def project(xp, variant, x, weights, heads):
    """Queries, keys and values of every head, (B, h, T, N) each."""
    B, T, width = x.shape
    found = []
    for name in ("weight_q", "weight_k", "weight_v"):
        a = (x @ weights[name].mT).reshape(B, T, heads, width // heads).swapaxes(1, 2)
        if name != "weight_v" and variant["heads"] != "as they are":
            square = xp.sum(a * a, -1, keepdims=True)
            a = a / xp.sqrt((square if variant["heads"] == "unit" else square / (width // heads)) + 1e-6)
        found.append(a)
    return found


def attend(xp, variant, q, k, v):
    """Weights (B, h, T, S) and what they find, (B, T, width), for the last T of S positions."""
    (B, heads, T, N), S = q.shape, k.shape[2]
    s = xp.arange(S, dtype=q.dtype)
    distance = s[S - T:, None] - s[None]                                      # (T, S); negative in the future
    visible = (distance >= 0) & (distance < (S if variant["window"] == "none" else int(variant["window"])))
    far = (distance**2) ** 0.5
    far = {"linear": far, "root": far**0.5, "saturating": far / (1 + far)}[variant["penalty"]]
    slopes = 2.0 ** -(xp.arange(heads, dtype=q.dtype) + 1)
    scores = q @ k.mT * (1 / N if variant["scale"] == "1 / N" else N**-0.5) - slopes[:, None, None] * far
    alignment = xp.softmax(xp.where(visible, scores, -float("inf")), -1)
    return alignment, (alignment @ v).swapaxes(1, 2).reshape(B, T, heads * N)


def block(xp, variant, x, past, weights, heads):
    """The block, for tokens that come after those of `past`, pairs of keys and values."""
    n = normalise(xp, variant, x, weights["gain"]) if variant["place"] == "before" else x
    q, k, v = project(xp, variant, n, weights, heads)
    if past:
        k, v = xp.concatenate([past[0], k], 2), xp.concatenate([past[1], v], 2)
    alignment, mixed = attend(xp, variant, q, k, v)
    z = x + mixed @ weights["weight_out"].mT
    y = z if variant["place"] == "before" else normalise(xp, variant, z, weights["gain"])
    return {"n": n, "q": q, "k": k, "v": v, "alignment": alignment, "mixed": mixed, "z": z, "y": y}


def equations(xp, variant, x, weights, heads):
    """The block for whole sequences."""
    return block(xp, variant, x, None, weights, heads)


def step_equations(xp, variant, x_t, keys, values, weights, heads):
    """The block for one more token."""
    found = block(xp, variant, x_t[:, None], (keys, values), weights, heads)
    return {"y": found["y"][:, 0], "keys": found["k"], "values": found["v"]}


def draw(rng, variant, B, T, h, N):
    """Random arguments of `forward`."""
    width = h * N
    weights = {name: rng.standard_normal((width, width)) / width**0.5
               for name in ("weight_q", "weight_k", "weight_v", "weight_out")}
    weights["gain"] = rng.uniform(0.5, 2, width)
    return {"x": rng.standard_normal((B, T, width)), "weights": weights, "heads": h}


def draw_step(rng, variant, B, T, h, N):
    """Random arguments of `step`: the last token of T, after the right keys and values of the others."""
    given = draw(rng, variant, B=B, T=T, h=h, N=N)
    known = reference.run(equations, variant, given)[0]
    return {"x_t": given["x"][:, -1], "keys": known["k"][:, :, :-1], "values": known["v"][:, :, :-1],
            "weights": given["weights"], "heads": h}


def hand(variant):
    """One head of two entries, four tokens."""
    return {"x": np.array([[[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0], [0.5, -0.5]]]), "weights": {
        "weight_q": np.array([[2.0, 0.0], [0.0, 1.0]]), "weight_k": np.array([[1.0, 1.0], [0.0, -1.0]]),
        "weight_v": np.array([[1.0, 0.0], [0.5, 2.0]]), "weight_out": np.array([[1.0, -1.0], [0.0, 1.0]]),
        "gain": np.array([1.0, 2.0])}, "heads": 1}


SAYS = {
    "penalty": "the penalty grows with distance as in the variant {value}; here it is {own}",
    "window": "the window is {value}; here it is {own}",
    "heads": "queries and keys are {value}; here they are {own}",
    "place": "the normalisation stands {value} the attention; here it stands {own} it",
    "norm": "the normalisation is {value}; here it is {own}",
    "scale": "the products are scaled by {value}; here by {own}",
}
LAYOUT = {"x": "B T width", "y": "B T width", "q": "B h T N", "k": "B h T N", "v": "B h T N", "alignment": "B h T T",
          "mixed": "B T width", "z": "B T width", "n": "B T width", "x_t": "B width", "keys": "B h S N",
          "values": "B h S N"}
SLIPS = (
    ("the gain is left out", lambda variant, given: checks.with_weights(
        given, gain=np.ones_like(given["weights"]["gain"]))),
    ("W_q and W_k are swapped", lambda variant, given: checks.with_weights(
        given, weight_q=given["weights"]["weight_k"], weight_k=given["weights"]["weight_q"])),
    ("W_o is used transposed", checks.transposed("weight_out")),
    ("W_q is used transposed", checks.transposed("weight_q")),
)
TASK = checks.Task("forward", equations, draw, AXES, SAYS, LAYOUT, SLIPS, sizes="BThN")
STEP = checks.Task("step", step_equations, draw_step, AXES, SAYS, LAYOUT | {"y": "B width"}, SLIPS, sizes="BThN")


def _causal(student, rng, variant):
    """Whatever comes later, what was said stays: two right halves, of which the grader sees the first."""
    def attempt(explain, case):
        given = draw(rng, variant, **case)
        half = case["T"] // 2
        given["x"][:, half:] *= 1e3
        want = TASK.outputs(variant, given)["y"]
        got = student.call("forward", **given)
        if np.shape(got.get("y")) == want.shape:
            # What comes later is no part of the question, as long as it is finite.
            late = np.arange(case["T"])[:, None] >= half
            got = {"y": np.where(late & np.isfinite(got["y"]), want, got["y"])}
        checks.close(got, want, checks.FORWARD, "y", LAYOUT["y"])

    cases = [checks.sizes(rng, "BThN", T=T) for T in (7, 8, 9)]
    checks.each((checks.described(case), lambda explain, case=case: attempt(explain, case)) for case in cases)


def _forward(*arguments, **options):
    return checks.forward_row(TASK, *arguments, **options)


def _backward(*arguments, **options):
    return checks.backward_row(TASK, *arguments, upstream=("y",), extra=("heads",), cases=LONG, **options)


LONG = [{"T": 7}, {"T": 8}, {"T": 9}]                     # longer than any window
ROWS = (
    checks.hand_row(TASK, 7, hand, ["alignment", "y"]),
    _forward("queries-and-keys", 7, "Queries and keys of every head, as they enter the product.", ["q", "k"]),
    _forward("alignment", 11, "The weights of every head.", ["alignment"], cases=LONG),
    _forward("forward-random", 9, "What the block returns, `y`.", ["y"], cases=LONG),
    Row("causality", 5, "Later tokens a thousand times as large: what comes before them stays right.", _causal),
    _forward("edge-shapes", 4, "One token, one sequence, one head, heads of one entry: all of them right.", ["y"],
             cases=[{"T": 1, "B": 1}, {"h": 1}, {"N": 1}], together=True),
    _forward("stability", 3, "Inputs a thousand times as large: finite and right.", ["alignment", "y"],
             prepare=checks.large),
    _forward("float32", 3, "`float32` in: accepted, and right to `float32`'s precision.", ["y"], cases=2,
             prepare=checks.float32),
    checks.forward_row(STEP, "cached-step", 12, "One more token after a cache: output, keys and values as for the "
                                                "whole.",
                       ["y", "keys", "values"], cases=LONG),
    checks.forward_row(STEP, "cache-edges", 4, "An empty cache, a cache of one token, one sequence: all of them right.",
                       ["y", "keys", "values"], cases=[{"T": 1}, {"T": 2}, {"T": 7, "B": 1}], together=True),
    _backward("backward-inputs", 8, "The gradient of the inputs, `d_x`.", ["d_x"]),
    _backward("backward-projections", 9, "The gradients of W_q, W_k and W_v.",
              ["d_weight_q", "d_weight_k", "d_weight_v"]),
    _backward("backward-output", 4, "The gradient of W_o, `d_weight_out`.", ["d_weight_out"]),
    _backward("backward-gain", 4, "The gradient of the gain, `d_gain`.", ["d_gain"]),
)

FUNCTIONS = {
    "forward": "forward(x, weights, heads)", "backward": "backward(cache, weights, heads, d_y)",
    "step": "step(x_t, keys, values, weights, heads)",
}


def _statement(variant):
    norm = (r"\frac{a - \operatorname{mean}(a)}{\sqrt{\operatorname{var}(a) + 10^{-5}}}" if variant["norm"] == "layer"
            else r"\frac{a}{\sqrt{\operatorname{mean}(a \odot a) + 10^{-5}}}")
    n, y = (r"\operatorname{norm}(x_t)", "z_t") if variant["place"] == "before" else ("x_t",
    r"\operatorname{norm}(z_t)")
    heads = {"as they are": ("W_q n_t", "W_k n_t", ""),
             "unit": (r"\nu(W_q n_t)", r"\nu(W_k n_t)",
                      r" $\nu$ acts on each head's $N$ entries: $\nu(a) = a / \sqrt{\sum_i a_i^2 + 10^{-6}}$."),
             "rms": (r"\nu(W_q n_t)", r"\nu(W_k n_t)",
                     r" $\nu$ acts on each head's $N$ entries: $\nu(a) = a / \sqrt{\frac1N \sum_i a_i^2 + 10^{-6}}$.")}
    q, k, nu = heads[variant["heads"]]
    scale = r"\frac{q_t^\top k_s}{N}" if variant["scale"] == "1 / N" else r"\frac{q_t^\top k_s}{\sqrt{N}}"
    far = {"linear": "(t - s)", "root": r"\sqrt{t - s}", "saturating": r"\frac{t - s}{1 + t - s}"}[variant["penalty"]]
    seen = ("s \\le t" if variant["window"] == "none"
            else f"t - {variant['window']} < s \\le t")
    width = ("every token up to its own" if variant["window"] == "none"
             else f"its own token and the {int(variant['window']) - 1} before it")
    text = rf"""## The block

For every token $t$, and in every head $j = 1, \dots, h$ on its own part of $q$, $k$ and $v$,

$$
\begin{{aligned}}
n_t &= {n} \\
q_t &= {q}, \quad k_t = {k}, \quad v_t = W_v n_t \\
e_{{ts}} &= {scale} - 2^{{-j}} \, {far} \quad ({seen}) \\
p_{{ts}} &= \operatorname{{softmax}}_s(e_{{ts}}), \qquad m_t = \sum_s p_{{ts}} v_s \\
z_t &= x_t + W_o m_t, \qquad y_t = {y}
\end{{aligned}}
$$

with $\operatorname{{norm}}(a) = {norm} \odot g$ over the width of one token, and weights of 0 outside of the window: a
query sees {width}.{nu} Head $j$ owns the entries $(j - 1) N, \dots, j N - 1$ of $q$, $k$, $v$ and $m$, counted from
0."""
    rows = [["`x`", "`(B, T, h·N)`", "T tokens of B sequences"], ["`heads`", "`int`", "$h$"],
            ["`weights['weight_q']`, `['weight_k']`, `['weight_v']`, `['weight_out']`", "`(h·N, h·N)`",
             "$W_q$, $W_k$, $W_v$, $W_o$"], ["`weights['gain']`", "`(h·N,)`", "$g$"],
            ["`q`, `k`, `v`", "`(B, h, T, N)`", "as they enter the product" if nu == "" else r"after $\nu$"],
            ["`alignment`", "`(B, h, T, T)`", "$p$: a row a query"],
            ["`n`, `mixed`, `z`, `y`", "`(B, T, h·N)`", "$n$, $m$ with the heads side by side, $z$ and $y$"]]
    normed = (r"Through a norm $u = (a - \bar a) / r$: $\mathrm{d}a = (\mathrm{d}u - \operatorname{mean}(\mathrm{d}u) "
              r"- "
              r"u \operatorname{mean}(u \odot \mathrm{d}u)) / r$." if variant["norm"] == "layer" else
              r"Through a norm $u = a / r$: $\mathrm{d}a = (\mathrm{d}u - u \operatorname{mean}(u \odot \mathrm{d}u)) "
              r"/ r$.")
    hints = ["Forward: `reshape` to (B, T, h, N), then swap two axes; the way back is the same in reverse. Build the "
             "T × T "
             "distances once, for all heads.",
             "A step is the last row of the whole: one query, at position S - 1 of S keys.",
             "The residual is a second way: what arrives at $z_t$ arrives at $x_t$ as it is, and once more through "
             "attention.",
             normed]
    if variant["heads"] != "as they are":
        hints.append(r"`cache['q']` is what $\nu$ returned. What it was given is one product away: recompute it, for "
                     r"its "
                     "length.")
    return statement.build(ASSIGNMENT, variant, [
        ("equations", text),
        ("shapes", "## Names and shapes\n\n" + statement.table(["name", "shape", "what it is"], rows)),
        ("by-hand", statement.hand_case(TASK, variant, hand(variant), ["q", "k", "alignment", "y"])),
        ("forward", FUNCTIONS["forward"], """Run the block over whole sequences.

Returns:
    dict with "q" and "k", (B, h, T, N), "alignment", (B, h, T, T), and "y", (B, T, h·N)."""),
        ("backward", FUNCTIONS["backward"], """Backpropagate through `forward`, by hand.

Args:
    cache: "x", "n", "q", "k", "v", "alignment", "mixed", "z" and "y" of a right forward.
    weights, heads: as for `forward`.
    d_y: what arrives at every output, (B, T, h·N).

Returns:
    dict with "d_x", "d_weight_q", "d_weight_k", "d_weight_v", "d_weight_out" and "d_gain"."""),
        ("cache", "## One token at a time\n\n`step` gets one more token, `x_t` `(B, h·N)`, and the keys and values of "
                  "all tokens "
                  "before it, `(B, h, S - 1, N)` each, as `forward` computes them; there may be none. It returns what "
                  "`forward` would "
                  "for the last of S tokens, without computing the others again."),
        ("step", FUNCTIONS["step"], """Run the block for one more token.

Returns:
    dict with "y", (B, h·N), and "keys" and "values" with those of the new token at the end, (B, h, S, N)."""),
        ("hints", "## Hints\n\n" + statement.hints(*hints))])


def _written(variant):
    question = rf"""## In your own words

At most 200 words and a formula or two. (a) Generating one token after the other with `step`: how do the cost of a
token and the size of the cache grow with the number of tokens in **this** block (window: {variant["window"]}), and
what could be thrown away? (b) The penalty here is **{variant["penalty"]}** in the distance. What does it do to a token
very far away, compared with one at distance 1? (c) The normalisation stands **{variant["place"]}** the attention. What
arrives at $x_t$ of a gradient at $y_t$, if attention passes back nothing?"""
    cost = ("the cost of a token and the cache grow linearly with the tokens so far; nothing can be thrown away"
            if variant["window"] == "none" else
            f"only the last {variant['window']} keys are ever read: cost and cache are constant, older keys and "
            f"values can go")
    far = {"linear": "its weight falls exponentially with the distance: hardly anything is left",
           "root": "its weight falls like exp(-c sqrt(d)): slower than exponentially, but to 0",
           "saturating": "the penalty never exceeds its slope: a far token loses little more than one at distance 1"}
    passes = ("all of it, unchanged: the residual path is the identity" if variant["place"] == "before"
              else "what the normalisation's Jacobian lets through: the path is not the identity")
    rubric = f"""- 4: {cost} (in `step` as asked for, all keys are kept).
- 3: {far[variant["penalty"]]}.
- 2: {passes}.
- 1: said precisely, in the words of this variant and not of another."""
    return question, rubric, 10


TEXT = """
def forward(x, weights, heads):
    return run(equations, VARIANT, dict(x=x, weights=weights, heads=heads))[0]


def backward(cache, weights, heads, d_y):
    return run(equations, VARIANT, dict(x=cache["x"], weights=weights, heads=heads), dict(y=d_y))[1]


def step(x_t, keys, values, weights, heads):
    given = dict(x_t=x_t, keys=keys, values=values, weights=weights, heads=heads)
    return run(step_equations, VARIANT, given)[0]
"""

ASSIGNMENT = Assignment(
    name="transformers", title="A causal attention block, forward, backward and one token at a time",
    chapter="transformers-vs-rnn", minutes=210, difficulty="demanding", axes=AXES, specimen=SPECIMEN,
    functions=FUNCTIONS, statement=_statement, rows=ROWS, written=_written,
    reference=lambda variant: reference.paste(
        variant, (normalise, project, attend, block, equations, step_equations), TEXT))
