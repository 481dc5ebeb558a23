"""A recurrent network: where the input enters, what is normalised and squashed, how much leaks, what is read out."""

import numpy as np

from coursework.family import checks, reference, statement
from coursework.family.assignment import Assignment

AXES = {
    "activation": ("softsign", "arctan", "algebraic"),    # never tanh: the book prints that backward pass
    "input": ("inside", "outside", "multiplied"),
    "normalise": ("none", "centred", "rms"),
    "leak": ("none", "0.3", "learned"),
    "readout": ("current", "difference", "mean"),
}
SPECIMEN = {"activation": "arctan", "input": "multiplied", "normalise": "rms", "leak": "0.3", "readout": "difference"}


def equations(xp, variant, x, h0, weights):
    """Every state, what is read out of it, and what it was made of."""
    H, V = h0.shape[-1], weights["weight_out"]
    h, kept = h0, {name: [] for name in ("h", "y", "a", "u", "s")}
    for t in range(x.shape[0]):
        drive, recurrent = x[t] @ weights["weight_ih"].mT, h @ weights["weight_hh"].mT
        if variant["input"] == "inside":
            a = drive + recurrent + weights["bias"]
        elif variant["input"] == "outside":
            a = recurrent + weights["bias"]
        else:
            a = drive * recurrent + weights["bias"]
        u = a
        if variant["normalise"] == "centred":
            u = a - xp.sum(a, -1, keepdims=True) / H
        elif variant["normalise"] == "rms":
            u = a / xp.sqrt(xp.sum(a * a, -1, keepdims=True) / H + 1e-5)
        s = activate(xp, variant["activation"], u)
        if variant["input"] == "outside":
            s = s + drive
        before = h
        if variant["leak"] == "none":
            h = s
        else:
            leak = xp.sigmoid(weights["leak"]) if variant["leak"] == "learned" else 0.3
            h = (1 - leak) * before + leak * s
        seen = {"current": h, "difference": h - before, "mean": (h + before) / 2}[variant["readout"]]
        y = seen @ V.mT + weights["bias_out"]
        for name, value in (("h", h), ("y", y), ("a", a), ("u", u), ("s", s)):
            kept[name].append(value)
    return {name: xp.stack(values, 0) for name, values in kept.items()}


activate = reference.activate                             # the pasted source finds it under this name


def draw(rng, variant, T, B, D, H, O):
    """Random arguments."""
    def normal(*shape):
        return rng.standard_normal(shape)

    weights = {"weight_ih": normal(H, D) / D**0.5, "weight_hh": normal(H, H) / H**0.5, "bias": normal(H) / 2,
               "weight_out": normal(O, H) / H**0.5, "bias_out": normal(O) / 2}
    if variant["leak"] == "learned":
        weights["leak"] = normal(H)
    return {"x": normal(T, B, D), "h0": normal(B, H), "weights": weights}


def hand(variant):
    """Two units, two steps."""
    weights = {"weight_ih": np.array([[0.5], [-1.0]]), "weight_hh": np.array([[1.0, -0.5], [0.5, 2.0]]),
               "bias": np.array([0.25, -0.5]), "weight_out": np.array([[1.0, -2.0]]), "bias_out": np.array([0.5])}
    if variant["leak"] == "learned":
        weights["leak"] = np.array([0.5, -1.0])
    return {"x": np.array([1.0, -0.5]).reshape(2, 1, 1), "h0": np.array([[0.5, 1.0]]), "weights": weights}


TASK = checks.Task(
    "forward", equations, draw, AXES,
    says={
        "activation": "the nonlinearity is {value}; here it is {own}",
        "input": "the input enters {value}, which another term has; here it enters {own}",
        "normalise": "the normalisation is {value}; here it is {own}",
        "leak": "the leak is {value}; here it is {own}",
        "readout": "what is read out is the variant {value}; here it is {own}",
    },
    layout=dict.fromkeys("haus", "T B H") | {"x": "T B D", "h0": "B H", "y": "T B O"},
    slips=(
        ("U is used transposed", checks.transposed("weight_hh")),
        ("the bias is left out", checks.zeroed("bias")),
        ("the bias of the readout is left out", checks.zeroed("bias_out")),
        ("h0 is taken for zero", checks.zeroed("h0")),
        ("the steps are taken in reverse", checks.backwards_in_time),
    ),
    sizes="TBDHO",
)


def _second_half(variant, given, rng):
    """The rest of a sequence, from the state that the right first half ends in."""
    half = len(given["x"]) // 2
    first = TASK.outputs(variant, {**given, "x": given["x"][:half]})
    return {**given, "x": given["x"][half:], "h0": first["h"][-1]}


def _forward(*arguments, **options):
    return checks.forward_row(TASK, *arguments, **options)


def _backward(*arguments, **options):
    return checks.backward_row(TASK, *arguments, upstream=("h", "y"), **options)


ROWS = (
    checks.hand_row(TASK, 8, hand, ["h", "y"]),
    _forward("pre-activation", 6, "The pre-activation `a` of a single step.", ["a"], T=1),
    _forward("normalised", 5, "What enters the nonlinearity, `u`, of a single step.", ["u"], T=1),
    _forward("forward-random", 12, "Every state `h` of random sequences.", ["h"]),
    _forward("readout", 7, "Everything that is read out, `y`, of random sequences.", ["y"]),
    _forward("edge-shapes", 4, "One step, one sequence, one input, one output: all of them right.", ["h", "y"],
             cases=[{"T": 1, "B": 1}, {"D": 1}, {"O": 1}], together=True),
    _forward("second-half", 4, "A sequence cut in two: the second half from the state that the first ends in.",
             ["h", "y"], cases=2, prepare=_second_half, T=14),
    _forward("stability", 3, "Inputs a thousand times as large: finite and right.", ["h"], prepare=checks.large),
    _forward("float32", 3, "`float32` in: accepted, and right to `float32`'s precision.", ["h", "y"], cases=2,
             prepare=checks.float32),
    _backward("backward-inputs", 8, "The gradient of the inputs, `d_x`.", ["d_x"]),
    _backward("backward-state", 6, "The gradient of the first state, `d_h0`.", ["d_h0"]),
    _backward("backward-input-weights", 7, "The gradient of W, `d_weight_ih`.", ["d_weight_ih"]),
    _backward("backward-recurrent-weights", 7, "The gradient of U, `d_weight_hh`.", ["d_weight_hh"]),
    _backward("backward-biases", 5, "The gradients of the bias and of the leak, where it is learned.",
              ["d_bias", "d_leak"]),
    _backward("backward-readout", 5, "The gradients of the readout's weights and bias.",
              ["d_weight_out", "d_bias_out"]),
)

FUNCTIONS = {"forward": "forward(x, h0, weights)", "backward": "backward(cache, weights, d_h, d_y)"}


def _statement(variant):
    a = {"inside": "W x_t + U h_{t-1} + b", "outside": "U h_{t-1} + b",
         "multiplied": r"(W x_t) \odot (U h_{t-1}) + b"}[variant["input"]]
    u = {"none": "a_t", "centred": r"a_t - \operatorname{mean}(a_t)",
         "rms": r"\frac{a_t}{\sqrt{\operatorname{mean}(a_t \odot a_t) + 10^{-5}}}"}[variant["normalise"]]
    s = r"\varphi(u_t)" + (" + W x_t" if variant["input"] == "outside" else "")
    h = {"none": "s_t", "0.3": r"0.7\, h_{t-1} + 0.3\, s_t",
         "learned": r"(1 - \lambda) \odot h_{t-1} + \lambda \odot s_t"}[variant["leak"]]
    seen = {"current": "h_t", "difference": "(h_t - h_{t-1})", "mean": r"\tfrac12 (h_t + h_{t-1})"}[variant["readout"]]
    leak = r" and $\lambda = \sigma(\ell)$, $\sigma(a) = 1 / (1 + e^{-a})$" if variant["leak"] == "learned" else ""
    text = rf"""## The network

$$
\begin{{aligned}}
a_t &= {a} \\
u_t &= {u} \\
s_t &= {s} \\
h_t &= {h} \\
y_t &= V {seen} + c
\end{{aligned}}
$$

with $\varphi(u) = {reference.LATEX[variant["activation"]].format("u")}$, entry by entry{leak}. A mean is over the $H$
units of one sequence at one step. Vectors are columns in the equations and rows in the arrays: one step of `h` has the
shape `(B, H)`."""
    rows = [["`x`", "`(T, B, D)`", "the inputs of T steps, B sequences"],
            ["`h0`", "`(B, H)`", "the state before the first step"], ["`weights['weight_ih']`", "`(H, D)`", "$W$"],
            ["`weights['weight_hh']`", "`(H, H)`", "$U$"], ["`weights['bias']`", "`(H,)`", "$b$"],
            ["`weights['weight_out']`", "`(O, H)`", "$V$"], ["`weights['bias_out']`", "`(O,)`", "$c$"]]
    if variant["leak"] == "learned":
        rows.append(["`weights['leak']`", "`(H,)`", r"$\ell$"])
    rows += [["`h`, `a`, `u`, `s`", "`(T, B, H)`", "as in the equations, of every step"],
             ["`y`", "`(T, B, O)`", "what is read out at every step"],
             ["`d_h`, `d_y`", "as `h` and `y`", "what arrives at every step from outside"]]
    before = {"none": "", "0.3": " Part of it leaks by, times 0.7.", "learned": r" Part of it leaks by, times $1 - "
                                                                                r"\lambda$."}
    norm = {"none": "With no normalisation, what arrives at $u_t$ arrives at $a_t$.",
            "centred": "Taking a mean away is its own adjoint: take the mean of what arrives away, too.",
            "rms": r"Through the normalisation: write $u = a / r$; $r$ depends on *every* entry of $a$, so "
                   r"$\mathrm{d}a$ is "
                   r"$(\mathrm{d}u - u \operatorname{mean}(u \odot \mathrm{d}u)) / r$. Check it on paper."}
    hints = ["Forward: all but the line with $U$ could be done for every step at once; a plain loop is fine.",
             r"Backward: walk from the last step to the first with one array, $\mathrm{d}h$, that collects *all* uses "
             r"of "
             f"$h_t$: `d_h[t]`, the readout, and step t + 1.{before[variant['leak']]}",
             norm[variant["normalise"]]]
    if variant["readout"] != "current":
        hints.append("The readout of step t sees two states: part of `d_y[t]` belongs to $h_{t-1}$, and at the first "
                     "step "
                     "to $h_0$.")
    gradients = ["d_x", "d_h0", "d_weight_ih", "d_weight_hh", "d_bias", "d_weight_out", "d_bias_out"]
    gradients += ["d_leak"] if variant["leak"] == "learned" else []
    listed = ", ".join(f'"{name}"' for name in gradients)
    return statement.build(ASSIGNMENT, variant, [
        ("equations", text),
        ("shapes", "## Names and shapes\n\n" + statement.table(["name", "shape", "what it is"], rows)),
        ("by-hand", statement.hand_case(TASK, variant, hand(variant), ["a", "u", "s", "h", "y"])),
        ("forward", FUNCTIONS["forward"], """Run the network over a batch of sequences.

Returns:
    dict with "h", "a" and "u", each (T, B, H), and "y", (T, B, O)."""),
        ("backward", FUNCTIONS["backward"], f"""Backpropagate through `forward`, by hand.

Args:
    cache: "x", "h0", "h", "y", "a", "u" and "s" of a right forward.
    weights: as for `forward`.
    d_h: what arrives at every state from outside, (T, B, H).
    d_y: what arrives at everything that is read out, (T, B, O).

Returns:
    dict with {listed}."""),
        ("hints", "## Hints\n\n" + statement.hints(*hints))])


def _written(variant):
    jacobian = r"\operatorname{diag}(\varphi'(u_t))\, N_t\, "
    core = {"inside": "U", "outside": "U", "multiplied": r"\operatorname{diag}(W x_t)\, U"}[variant["input"]]
    whole = {"none": jacobian + core, "0.3": rf"0.7\, I + 0.3\, {jacobian}{core}",
             "learned": rf"\operatorname{{diag}}(1 - \lambda) + \operatorname{{diag}}(\lambda)\, {jacobian}{core}"}
    question = r"""## In your own words

At most 200 words and a formula or two. (a) Write the Jacobian $\partial h_t / \partial h_{t-1}$ of this network as a
product (or sum) of matrices. (b) Give a condition on these matrices that is *sufficient* for gradients to vanish over
many steps, and say whether it is necessary. (c) Name one reason why a network with this nonlinearity may lose its
gradient although the norm of U is above 1."""
    slow = ("no: as there is no leak, the product alone decides, but a norm above 1 need not make it grow"
            if variant["leak"] == "none" else "no, and the leaked identity keeps the Jacobian's norm near or above "
                                              "what leaks by")
    rubric = f"""- 4: $ {whole[variant["leak"]]} $ with $N_t = \\partial u_t / \\partial a_t$ (here:
  {variant["normalise"]}).
- 3: sufficient: the norm of that Jacobian stays below a constant below 1 at every step; necessary: {slow}.
- 2: saturation: the derivative of {variant["activation"]} falls to 0 for large entries, whatever U is (or non-normal
  U).
- 1: said precisely, in the words of this variant and not of another."""
    return question, rubric, 10


TEXT = """
def forward(x, h0, weights):
    return run(equations, VARIANT, dict(x=x, h0=h0, weights=weights))[0]


def backward(cache, weights, d_h, d_y):
    return run(equations, VARIANT, dict(x=cache["x"], h0=cache["h0"], weights=weights), dict(h=d_h, y=d_y))[1]
"""

ASSIGNMENT = Assignment(
    name="rnn", title="A recurrent network, forward and backward", chapter="rnn", minutes=120, difficulty=
    "introductory",
    axes=AXES, specimen=SPECIMEN, functions=FUNCTIONS, statement=_statement, rows=ROWS, written=_written,
    reference=lambda variant: reference.paste(variant, (reference.activate, equations), TEXT))
