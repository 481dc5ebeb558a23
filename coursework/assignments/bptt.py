"""Backpropagation through time: which steps count, where it is cut off, how gradients are clipped and measured."""

import numpy as np

from coursework.family import checks, reference, statement
from coursework.family.assignment import Assignment, Row

AXES = {
    "activation": ("softsign", "arctan", "algebraic"),    # never tanh: the book prints that backward pass
    "loss": ("every", "discounted", "late"),
    "truncation": ("from the start", "from the end", "sliding"),
    "clip": ("norm of all", "norm of each", "value", "rms of each"),
    "distance": ("frobenius", "largest", "mean"),
}
SPECIMEN = {"activation": "softsign", "loss": "discounted", "truncation": "sliding", "clip": "norm of each",
            "distance": "mean"}


def step(xp, variant, x, h, weights):
    """One step of the network."""
    a = x @ weights["weight_ih"].mT + h @ weights["weight_hh"].mT + weights["bias"]
    return activate(xp, variant["activation"], a)


def loss_of(xp, variant, states, target, weights):
    """What is read out of a list of states, and the loss of it."""
    T, loss, outputs = len(states), 0.0, []
    for t in range(T):
        y = states[t] @ weights["weight_out"].mT + weights["bias_out"]
        counts = {"every": 1.0, "discounted": 0.9 ** (T - 1 - t), "late": float(t >= T // 2)}[variant["loss"]]
        loss = loss + counts / (2 * y.shape[0]) * xp.sum(((y - target[t]) ** 2).reshape(-1), 0)
        outputs.append(y)
    return outputs, loss


def equations(xp, variant, x, h0, target, weights):
    """States, what is read out, and the loss."""
    states = []
    for t in range(x.shape[0]):
        states.append(step(xp, variant, x[t], states[-1] if states else h0, weights))
    outputs, loss = loss_of(xp, variant, states, target, weights)
    return {"h": xp.stack(states, 0), "y": xp.stack(outputs, 0), "loss": loss}


def truncated_equations(xp, variant, x, h0, target, weights, window):
    """The same numbers, with the path back through time cut."""
    T, states = x.shape[0], [h0]
    for t in range(T):
        at = t if variant["truncation"] == "from the start" else T - t
        h = states[-1].detach() if variant["truncation"] != "sliding" and at % window == 0 else states[-1]
        states.append(step(xp, variant, x[t], h, weights))
    if variant["truncation"] == "sliding":                # every step's own short past, from a state that is a constant
        recent = []
        for t in range(T):
            first = max(0, t + 1 - window)
            h = states[first].detach()
            for s in range(first, t + 1):
                h = step(xp, variant, x[s], h, weights)
            recent.append(h)
        states = [h0, *recent]
    outputs, loss = loss_of(xp, variant, states[1:], target, weights)
    return {"h": xp.stack(states[1:], 0), "y": xp.stack(outputs, 0), "loss": loss}


def clip_equations(xp, variant, gradients, threshold):
    """Gradients by name, none of them too long."""
    if variant["clip"] == "value":
        return {name: xp.where(g > threshold, threshold, xp.where(-g > threshold, -threshold, g))
                for name, g in gradients.items()}
    squares = {name: xp.sum((g * g).reshape(-1), 0) for name, g in gradients.items()}
    if variant["clip"] == "norm of all":
        squares = dict.fromkeys(squares, sum(squares.values()))
    if variant["clip"] == "rms of each":
        squares = {name: square / float(np.prod(gradients[name].shape)) for name, square in squares.items()}
    clipped = {}
    for name, g in gradients.items():
        length = xp.sqrt(squares[name])
        clipped[name] = g * (threshold / xp.where(length > threshold, length, threshold))
    return clipped


def nudged_equations(xp, variant, x, h0, nudges, weights):
    """The last state, and a nudge of nothing at every state on the way: its gradient is the state's."""
    h = h0 + nudges[0]
    for t in range(x.shape[0]):
        h = step(xp, variant, x[t], h, weights) + nudges[t + 1]
    return {"last": h}


def norms_of(variant, d_states):
    """How large the gradients of h_0 ... h_T are, by distance from the last."""
    if variant["distance"] == "frobenius":
        sizes = np.sqrt((d_states**2).sum((1, 2)))
    elif variant["distance"] == "largest":
        sizes = np.abs(d_states).max((1, 2))
    else:
        sizes = np.sqrt((d_states**2).sum(2)).mean(1)
    return sizes[::-1]


activate = reference.activate                             # the pasted source finds it under this name


def draw(rng, variant, T, B, D, H, O):
    """Random arguments of `forward`."""
    def normal(*shape):
        return rng.standard_normal(shape)

    return {"x": normal(T, B, D), "h0": normal(B, H), "target": normal(T, B, O), "weights": {
        "weight_ih": normal(H, D) / D**0.5, "weight_hh": 1.5 * normal(H, H) / H**0.5, "bias": normal(H) / 2,
        "weight_out": normal(O, H) / H**0.5, "bias_out": normal(O) / 2}}


def draw_truncated(rng, variant, **sizes):
    """The same, and a window."""
    return draw(rng, variant, **sizes) | {"window": int(rng.integers(2, 4))}


def draw_clip(rng, variant, D, H):
    """Gradients, and a threshold that most of them are above, however they are measured."""
    shapes = {"weight_ih": (H, D), "weight_hh": (H, H), "bias": (H,)}
    return {"gradients": {name: rng.uniform(1, 4) * rng.standard_normal(shape) for name, shape in shapes.items()},
            "threshold": float(rng.uniform(0.3, 0.7))}


def hand(variant):
    """One unit, two steps."""
    return {"x": np.array([1.0, -0.5]).reshape(2, 1, 1), "h0": np.array([[0.5]]),
            "target": np.array([1.0, 0.0]).reshape(2, 1, 1), "weights": {
                "weight_ih": np.array([[0.5]]), "weight_hh": np.array([[2.0]]), "bias": np.array([-0.5]),
                "weight_out": np.array([[2.0]]), "bias_out": np.array([0.25])}}


LAYOUT = {"h": "T B H", "x": "T B D", "h0": "B H", "y": "T B O", "target": "T B O"}
SLIPS = (
    ("U is used transposed", checks.transposed("weight_hh")),
    ("the bias is left out", checks.zeroed("bias")),
    ("h0 is taken for zero", checks.zeroed("h0")),
    ("the targets are left out", checks.zeroed("target")),
)
SAYS = {
    "activation": "the nonlinearity is {value}; here it is {own}",
    "loss": "the steps that count are those of the variant {value}; here it is {own}",
}
TASK = checks.Task("forward", equations, draw, AXES, SAYS, LAYOUT, SLIPS, sizes="TBDHO")
TRUNCATED = checks.Task("truncated", truncated_equations, draw_truncated, AXES,
                        SAYS | {"truncation": "the path is cut as in the variant {value}; here it is {own}"}, LAYOUT, (
    ("the window is one step longer", lambda variant, given: {**given, "window": given["window"] + 1}),
    ("the window is one step shorter", lambda variant, given: {**given, "window": max(1, given["window"] - 1)}),
    ("nothing is cut off", lambda variant, given: {**given, "window": len(given["x"])}),
), sizes="TBDHO")
CLIP = checks.Task("clip", clip_equations, draw_clip, AXES, {"clip": "what is limited is the {value}; here it is the "
                                                                     "{own}"},
                   {}, sizes="DH")


def _clip_untouched(student, rng, variant):
    given = draw_clip(rng, variant, **checks.sizes(rng, "DH"))
    below = {**given, "threshold": 1e3}
    zero = {**given, "gradients": {name: 0 * g for name, g in given["gradients"].items()}}

    def attempt(case):
        got, want = student.call("clip", **case), CLIP.outputs(variant, case)
        for name in want:
            checks.close(got, want[name], checks.FORWARD, name)

    try:
        checks.each((title, lambda explain, case=case: attempt(case)) for title, case in (
            ("gradients below the threshold", below), ("gradients that are all zero", zero), ("others", given)))
    except checks.Lost as lost:
        raise checks.Lost(lost.message) from None


def _norms(student, rng, variant):
    def attempt(explain, case):
        given = draw(rng, variant, **case)
        outputs = TASK.outputs(variant, given)
        d_last = rng.standard_normal(given["h0"].shape)
        nudges = np.zeros((case["T"] + 1, case["B"], case["H"]))
        inside = {"x": given["x"], "h0": given["h0"], "nudges": nudges, "weights": given["weights"]}
        d_states = reference.run(nudged_equations, variant, inside, {"last": d_last})[1]["d_nudges"]
        cache = {name: given[name] for name in ("x", "h0", "target")} | outputs
        got = student.call("norms", cache=cache, weights=given["weights"], d_last=d_last)
        suspects = [(f"the size is that of the variant {value}; here it is {variant['distance']}",
                     {"norms": norms_of({**variant, "distance": value}, d_states)}) for value in AXES["distance"]]
        want = norms_of(variant, d_states)
        suspects += [("the list begins at h_0; here it begins at the last state", {"norms": want[::-1]})]
        checks.close(got, want, checks.BACKWARD, "norms", "T + 1", suspects if explain else ())

    cases = [checks.sizes(rng, "TBDHO") for _ in range(3)]
    checks.each((checks.described(case), lambda explain, case=case: attempt(explain, case)) for case in cases)


def _window(size):
    return lambda variant, given, rng: {**given, "window": size}


def _forward(*arguments, **options):
    return checks.forward_row(TASK, *arguments, **options)


def _backward(*arguments, **options):
    return checks.backward_row(TASK, *arguments, upstream=("loss",), **options)


# Lengths that are no multiple of a window of 2 or 3: pieces counted from either end are not the same pieces.
def _truncated(*arguments, **options):
    return checks.backward_row(TRUNCATED, *arguments, ["d_weight_ih", "d_weight_hh", "d_bias"], ("loss",),
                               backward="truncated", extra=("window",), B=3, D=2, H=4, O=5, **options)


def _window_edges(student, rng, variant):
    parts = [_truncated("", 1, "", cases=1, T=5, prepare=_window(size)) for size in (1, 9)]

    def attempt(part):
        part.check(student, rng, variant)

    try:
        checks.each((title, lambda explain, part=part: attempt(part))
                    for title, part in zip(("window 1", "a window longer than the sequence"), parts))
    except checks.Lost as lost:
        raise checks.Lost(lost.message) from None


ROWS = (
    checks.hand_row(TASK, 7, hand, ["h", "y", "loss"]),
    _forward("forward-random", 7, "Every state `h` and everything read out, `y`, of random sequences.", ["h", "y"]),
    _forward("loss", 7, "The loss of random sequences.", ["loss"]),
    _forward("edge-shapes", 4, "One step, one sequence, one unit, one input: all of them right.", ["h", "loss"],
             cases=[{"T": 1, "B": 1}, {"H": 1}, {"D": 1}], together=True),
    _forward("stability", 2, "Inputs a thousand times as large: finite and right.", ["h", "loss"],
             prepare=checks.large),
    _forward("float32", 2, "`float32` in: accepted, and right to `float32`'s precision.", ["h", "loss"], cases=2,
             prepare=checks.float32),
    _backward("backward-inputs", 6, "The gradient of the inputs, `d_x`.", ["d_x"]),
    _backward("backward-state", 6, "The gradient of the first state, `d_h0`.", ["d_h0"]),
    _backward("backward-weights", 10, "The gradients of W, U and b.", ["d_weight_ih", "d_weight_hh", "d_bias"]),
    _backward("backward-readout", 5, "The gradients of the readout's weights and bias.",
              ["d_weight_out", "d_bias_out"]),
    _truncated("truncated-weights", 12, "Truncated gradients of W, U and b, for a window of a few steps.",
               cases=[{"T": 5}, {"T": 7}, {"T": 11}]),
    Row("window-edges", 5, "Truncated gradients with a window of 1, and with one longer than the sequence: both right.",
        _window_edges),
    checks.forward_row(CLIP, "clip-above", 8, "Gradients above the threshold are clipped.", ["weight_ih", "weight_hh",
    "bias"]),
    Row("clip-untouched", 3, "Gradients below the threshold, or zero, come out as they went in; those above do not.",
        _clip_untouched),
    Row("norms-by-distance", 6, "The size of the gradient at every state, by its distance from the last.", _norms),
)

FUNCTIONS = {
    "forward": "forward(x, h0, target, weights)", "backward": "backward(cache, weights, d_loss)",
    "truncated": "truncated(cache, weights, window, d_loss)", "clip": "clip(gradients, threshold)",
    "norms": "norms(cache, weights, d_last)",
}


def _statement(variant):
    counts = {"every": "1", "discounted": "0.9^{T - t}",
              "late": r"\begin{cases} 1 & t > \lfloor T / 2 \rfloor \\ 0 & \text{otherwise} \end{cases}"}[variant[
              "loss"]]
    network = rf"""## The network and its loss

$$
\begin{{aligned}}
h_t &= \varphi(W x_t + U h_{{t-1}} + b) \\
y_t &= V h_t + c \\
\mathcal{{L}} &= \frac{{1}}{{B}} \sum_{{\text{{sequences}}}} \sum_{{t=1}}^{{T}} w_t \, \tfrac12 \lVert y_t - y^*_t
\rVert^2,
\qquad w_t = {counts}
\end{{aligned}}
$$

with $\varphi(a) = {reference.LATEX[variant["activation"]].format("a")}$, entry by entry. Steps are counted from 1 in
the equations, from 0 in the arrays. One step of `h` has the shape `(B, H)`."""
    shapes = "## Names and shapes\n\n" + statement.table(["name", "shape", "what it is"], [
        ["`x`", "`(T, B, D)`", "the inputs"], ["`h0`", "`(B, H)`", "the state before the first step"],
        ["`target`", "`(T, B, O)`", "$y^*$"], ["`weights['weight_ih']`", "`(H, D)`", "$W$"],
        ["`weights['weight_hh']`", "`(H, H)`", "$U$"], ["`weights['bias']`", "`(H,)`", "$b$"],
        ["`weights['weight_out']`", "`(O, H)`", "$V$"], ["`weights['bias_out']`", "`(O,)`", "$c$"],
        ["`h`, `y`", "`(T, B, H)`, `(T, B, O)`", "states, and what is read out of them"],
        ["`loss`", "a number", r"$\mathcal{L}$"],
        ["`d_loss`", "a number", r"what arrives at $\mathcal{L}$: every gradient is that of `d_loss` times the loss"]])
    cut = {
        "from the start": "The sequence is cut into pieces of `window` steps, **counted from its first step**; the "
                          "last piece "
                          "may be shorter. No gradient passes from a piece to the one before it.",
        "from the end": "The sequence is cut into pieces of `window` steps, **counted from its last step**; the first "
                        "piece "
                        "may be shorter. No gradient passes from a piece to the one before it.",
        "sliding": "The loss of **every** step $t$ is followed back through the steps $t, t - 1, \\dots, t - k + 1$ "
                   "and no "
                   "further, with $k$ the `window`: the state before them is a constant. The gradients of all steps "
                   "add up.",
    }[variant["truncation"]]
    size = {
        "norm of all": r"All gradients together are one long vector $g$. Return $g \cdot \min(1, \tau / \lVert g "
                       r"\rVert)$",
        "norm of each": r"For the gradient $g$ of *each* parameter, return $g \cdot \min(1, \tau / \lVert g \rVert)$, "
                        r"$\lVert g \rVert$ the root of the sum of its squared entries",
        "value": r"Return every entry limited to the interval from $-\tau$ to $\tau$",
        "rms of each": r"For the gradient $g$ of *each* parameter, return $g \cdot \min(1, \tau / "
                       r"\operatorname{rms}(g))$, "
                       r"$\operatorname{rms}(g)$ the root of the *mean* of its squared entries",
    }[variant["clip"]]
    norm = {"frobenius": "the root of the sum of all its squared entries, sequences and units alike",
            "largest": "its largest entry, regardless of sign",
            "mean": "the 2-norm over the units of each sequence, then the mean over the sequences"}[variant["distance"]]
    window = {"from the start": "Where `t % window == 0`, what would flow on from step t to the one before is dropped.",
              "from the end": "Where `(T - t) % window == 0`, with t from 0, what would flow on from step t to the one "
                              "before is dropped.",
              "sliding": "Two loops: over the step whose loss it is, and from there back through at most `window` "
                         "steps."}
    return statement.build(ASSIGNMENT, variant, [
        ("equations", network), ("shapes", shapes),
        ("by-hand", statement.hand_case(TASK, variant, hand(variant), ["h", "y", "loss"])),
        ("forward", FUNCTIONS["forward"], """Run the network and take its loss.

Returns:
    dict with "h", (T, B, H), "y", (T, B, O), and "loss", a number."""),
        ("backward", FUNCTIONS["backward"], """Backpropagate through all of time, by hand.

Args:
    cache: "x", "h0", "target", "h", "y" and "loss" of a right forward.
    weights: as for `forward`.
    d_loss: what arrives at the loss, a number.

Returns:
    dict with "d_x", "d_h0", "d_weight_ih", "d_weight_hh", "d_bias", "d_weight_out" and "d_bias_out"."""),
        ("truncation", f"## Truncated\n\n{cut} The forward values stay as they are."),
        ("truncated", FUNCTIONS["truncated"], """Backpropagate through a window of time, by hand.

Args:
    cache, weights, d_loss: as for `backward`.
    window: number of steps, 1 or more.

Returns:
    dict with "d_weight_ih", "d_weight_hh" and "d_bias"."""),
        ("clipping", f"## Clipped\n\n{size}, with $\\tau$ the `threshold`. A gradient of zeros stays one."),
        ("clip", FUNCTIONS["clip"], """Clip gradients.

Args:
    gradients: dict of arrays.
    threshold: a positive number.

Returns:
    dict of arrays, under the names of `gradients`."""),
        ("distances", "## Measured\n\nA gradient `d_last` arrives at $h_T$, and nowhere else. The gradient that it "
                      "makes at "
                      f"$h_{{T-k}}$ is one array `(B, H)`; its size is {norm}. Entry $k$ of `norms` is this size, for "
                      "$k = 0, \\dots, T$: the first is that of `d_last` itself, the last that at $h_0$."),
        ("norms", FUNCTIONS["norms"], """Measure the gradient by its distance from the last state.

Args:
    cache, weights: as for `backward`.
    d_last: what arrives at the last state, (B, H).

Returns:
    dict with "norms", (T + 1,)."""),
        ("hints", "## Hints\n\n" + statement.hints(
            r"Start at the loss: $\partial \mathcal{L} / \partial y_t$ has the factors $w_t$ and $1 / B$ in it.",
            r"Walk back with one array, $\mathrm{d}h$: add what comes from $y_t$, multiply by $\varphi'$, add to the "
            r"three "
            "sums over time, multiply by U.",
            "The derivative of this nonlinearity can be written with $h_t$ alone: you do not need $a_t$.",
            window[variant["truncation"]]))])


def _written(variant):
    other = {"from the start": "from the end", "from the end": "from the start", "sliding": "in pieces"}
    question = rf"""## In your own words

At most 200 words and a formula or two. (a) Is the truncated gradient, cut **{variant["truncation"]}** as here, biased?
Say in one sentence which terms of the full sum are missing. (b) What would change if it were cut
**{other[variant["truncation"]]}**? (c) After clipping as here, can the clipped gradient point in another direction
than the whole gradient did? Why?"""
    turns = {"norm of all": "no: all entries get the same factor", "value": "yes: large entries shrink, small ones do "
                                                                            "not",
             "norm of each": "yes: each parameter has a factor of its own, though each keeps its own direction",
             "rms of each": "yes: each parameter has a factor of its own, though each keeps its own direction"}
    missing = ("terms whose loss is more than window - 1 steps after the use of the weights"
               if variant["truncation"] == "sliding" else "terms that cross a border between pieces, however near in "
                                                          "time")
    rubric = f"""- 3: biased, since whole terms are missing and not random ones: {missing}.
- 3: pieces keep paths of different lengths (a step just behind a border sees nothing), a sliding window the same for
  every step, at window times the cost; counting from the other end moves the borders.
- 3: {turns[variant["clip"]]}.
- 1: said precisely, in the words of this variant and not of another."""
    return question, rubric, 10


TEXT = """
def given(cache, weights):
    return dict(x=cache["x"], h0=cache["h0"], target=cache["target"], weights=weights)


def forward(x, h0, target, weights):
    return run(equations, VARIANT, dict(x=x, h0=h0, target=target, weights=weights))[0]


def backward(cache, weights, d_loss):
    return run(equations, VARIANT, given(cache, weights), dict(loss=d_loss))[1]


def truncated(cache, weights, window, d_loss):
    return run(truncated_equations, VARIANT, given(cache, weights) | dict(window=window), dict(loss=d_loss))[1]


def clip(gradients, threshold):
    return run(clip_equations, VARIANT, dict(gradients=gradients, threshold=threshold))[0]


def norms(cache, weights, d_last):
    nudges = np.zeros((len(cache["h"]) + 1, *d_last.shape))
    inside = dict(x=cache["x"], h0=cache["h0"], nudges=nudges, weights=weights)
    return {"norms": norms_of(VARIANT, run(nudged_equations, VARIANT, inside, dict(last=d_last))[1]["d_nudges"])}
"""

ASSIGNMENT = Assignment(
    name="bptt", title="Backpropagation through time: whole, truncated, clipped", chapter="bptt", minutes=180,
    difficulty="standard", axes=AXES, specimen=SPECIMEN, functions=FUNCTIONS, statement=_statement, rows=ROWS,
    written=_written, reference=lambda variant: reference.paste(variant, (
        reference.activate, step, loss_of, equations, truncated_equations, clip_equations, nudged_equations, norms_of),
        TEXT))
