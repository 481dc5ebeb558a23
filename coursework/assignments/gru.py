"""The gated recurrent unit: where the reset acts, which gate keeps, what squashes, and how the rows are ordered."""

import numpy as np

from coursework.family import checks, reference, statement
from coursework.family.assignment import Assignment

AXES = {
    "reset": ("before", "after"),
    "keep": ("z", "1 - z"),
    "candidate": ("softsign", "arctan", "algebraic"),     # never tanh: the book prints that backward pass
    "gate": ("sigmoid", "softsign", "arctan"),
    "order": ("rzn", "rnz", "zrn", "znr", "nrz", "nzr"),
}
SPECIMEN = {"reset": "before", "keep": "1 - z", "candidate": "softsign", "gate": "sigmoid", "order": "zrn"}


def squash(xp, name, a):
    """A gate, between 0 and 1."""
    if name == "sigmoid":
        return xp.sigmoid(a)
    if name == "softsign":
        return 0.5 + 0.5 * a / (1 + xp.abs(a))
    if name == "arctan":
        return 0.5 + xp.arctan(a) / 3.141592653589793
    raise ValueError(f"no gate is called {name!r}")


def equations(xp, variant, x, h0, weights):
    """Every state of the cell and what it was made of."""
    H = h0.shape[-1]

    def part(name, gate):                                 # the rows of one gate
        k = variant["order"].index(gate)
        return weights[name][k * H:(k + 1) * H]

    def drive(gate, x):
        return x @ part("weight_ih", gate).mT + part("bias_ih", gate)

    def recur(gate, h):
        return h @ part("weight_hh", gate).mT + part("bias_hh", gate)

    h, kept = h0, {name: [] for name in ("h", "r", "z", "n", "past")}
    for t in range(x.shape[0]):
        r = squash(xp, variant["gate"], drive("r", x[t]) + recur("r", h))
        z = squash(xp, variant["gate"], drive("z", x[t]) + recur("z", h))
        past = recur("n", h) if variant["reset"] == "after" else r * h
        through = r * past if variant["reset"] == "after" else recur("n", past)
        n = activate(xp, variant["candidate"], drive("n", x[t]) + through)
        h = z * h + (1 - z) * n if variant["keep"] == "z" else (1 - z) * h + z * n
        for name, value in (("h", h), ("r", r), ("z", z), ("n", n), ("past", past)):
            kept[name].append(value)
    return {name: xp.stack(values, 0) for name, values in kept.items()}


activate = reference.activate                             # the pasted source finds it under this name


def draw(rng, variant, T, B, D, H):
    """Random arguments."""
    def normal(*shape):
        return rng.standard_normal(shape)

    return {"x": normal(T, B, D), "h0": normal(B, H), "weights": {
        "weight_ih": normal(3 * H, D) / D**0.5, "weight_hh": normal(3 * H, H) / H**0.5,
        "bias_ih": normal(3 * H) / 2, "bias_hh": normal(3 * H) / 2}}


def hand(variant):
    """One unit, two steps."""
    return {"x": np.array([1.0, -0.5]).reshape(2, 1, 1), "h0": np.array([[0.5]]), "weights": {
        "weight_ih": np.array([[0.5], [-1.0], [1.0]]), "weight_hh": np.array([[1.0], [0.5], [-2.0]]),
        "bias_ih": np.array([0.0, 0.5, -0.25]), "bias_hh": np.array([0.25, 0.0, 0.5])}}


TASK = checks.Task(
    "forward", equations, draw, AXES,
    says={
        "reset": "the reset gate acts {value} the matrix U_n; here it acts {own} it",
        "keep": "the old state is kept by {value}; here {own} keeps it",
        "candidate": "the candidate is squashed by {value}; here by {own}",
        "gate": "the gates are squashed by {value}; here by {own}",
        "order": "the blocks of rows are read in the order {value}; here it is {own}",
    },
    layout=dict.fromkeys(("h", "r", "z", "n", "past"), "T B H") | {"x": "T B D", "h0": "B H"},
    slips=(
        ("U is used transposed, block by block", checks.transposed("weight_hh")),
        ("bias_hh is left out", checks.zeroed("bias_hh")),
        ("bias_ih is left out", checks.zeroed("bias_ih")),
        ("h0 is taken for zero", checks.zeroed("h0")),
        ("the steps are taken in reverse", checks.backwards_in_time),
    ),
)


def _carried(variant, given, rng):
    """The gate that keeps is open as far as it goes."""
    H, k = given["h0"].shape[1], variant["order"].index("z")
    bias = given["weights"]["bias_ih"].copy()
    bias[k * H:(k + 1) * H] = 1e9 if variant["keep"] == "z" else -1e9
    return checks.with_weights(given, bias_ih=bias)


def _forward(*arguments, **options):
    return checks.forward_row(TASK, *arguments, **options)


def _backward(*arguments, **options):
    return checks.backward_row(TASK, *arguments, upstream=("h",), **options)


ROWS = (
    checks.hand_row(TASK, 8, hand, ["h"]),
    _forward("reset-gate", 5, "The reset gate `r` of a single step.", ["r"], T=1),
    _forward("update-gate", 5, "The update gate `z` of a single step.", ["z"], T=1),
    _forward("candidate", 8, "The candidate `n` of a single step.", ["n"], T=1),
    _forward("forward-random", 12, "Every state `h` of random sequences.", ["h"]),
    _forward("edge-shapes", 4, "One step, one sequence, one unit, one input: all of them right.", ["h"],
             cases=[{"T": 1, "B": 1}, {"H": 1}, {"D": 1}], together=True),
    _forward("carried-state", 5, "With the gate that keeps held open, twenty steps carry the state through.", ["h"],
             cases=2, prepare=_carried, T=20),
    _forward("stability", 5, "Inputs a thousand times as large: finite and right.", ["h"], prepare=checks.large),
    _forward("float32", 4, "`float32` in: accepted, and right to `float32`'s precision.", ["h"], cases=2,
             prepare=checks.float32),
    _backward("backward-inputs", 8, "The gradient of the inputs, `d_x`.", ["d_x"]),
    _backward("backward-state", 6, "The gradient of the first state, `d_h0`.", ["d_h0"]),
    _backward("backward-input-weights", 8, "The gradient of W, `d_weight_ih`.", ["d_weight_ih"]),
    _backward("backward-recurrent-weights", 8, "The gradient of U, `d_weight_hh`.", ["d_weight_hh"]),
    _backward("backward-biases", 4, "The gradients of both biases.", ["d_bias_ih", "d_bias_hh"]),
)

FUNCTIONS = {"forward": "forward(x, h0, weights)", "backward": "backward(cache, weights, d_h)"}

GATE = {"sigmoid": r"\sigma(a) = \frac{1}{1 + e^{-a}}", "softsign": r"\sigma(a) = \frac12 + \frac{a}{2 (1 + |a|)}",
        "arctan": r"\sigma(a) = \frac12 + \frac{\arctan(a)}{\pi}"}


def _statement(variant):
    order = ", ".join(variant["order"])
    if variant["reset"] == "after":
        through = r"r_t \odot (U_n h_{t-1} + b'_n)"
        past = "$U_n h_{t-1} + b'_n$, what the reset gate multiplies"
    else:
        through = r"U_n (r_t \odot h_{t-1}) + b'_n"
        past = r"$r_t \odot h_{t-1}$, what $U_n$ multiplies"
    update = (r"z_t \odot h_{t-1} + (1 - z_t) \odot n_t" if variant["keep"] == "z"
              else r"(1 - z_t) \odot h_{t-1} + z_t \odot n_t")
    equations_text = rf"""## The cell

$$
\begin{{aligned}}
r_t &= \sigma(W_r x_t + b_r + U_r h_{{t-1}} + b'_r) \\
z_t &= \sigma(W_z x_t + b_z + U_z h_{{t-1}} + b'_z) \\
n_t &= \varphi(W_n x_t + b_n + {through}) \\
h_t &= {update}
\end{{aligned}}
$$

with $\;{GATE[variant["gate"]]}\;$ and $\;\varphi(a) = {reference.LATEX[variant["candidate"]].format("a")}$, entry by
entry. $W$, $U$, $b$ and $b'$ each hold three blocks of $H$ rows, **in the order {order}**. Vectors are columns in the
equations and rows in the arrays: the array `h` of one step has the shape `(B, H)`."""
    shapes = "## Names and shapes\n\n" + statement.table(["name", "shape", "what it is"], [
        ["`x`", "`(T, B, D)`", "the inputs of T steps, B sequences"],
        ["`h0`", "`(B, H)`", "the state before the first step"],
        ["`weights['weight_ih']`", "`(3H, D)`", "$W$"], ["`weights['weight_hh']`", "`(3H, H)`", "$U$"],
        ["`weights['bias_ih']`, `weights['bias_hh']`", "`(3H,)`", "$b$ and $b'$"],
        ["`h`, `r`, `z`, `n`", "`(T, B, H)`", "states, gates and candidate of every step"],
        ["`cache['past']`", "`(T, B, H)`", past + ", of every step"],
        ["`d_h`", "`(T, B, H)`", r"$\partial L / \partial h_t$ as it arrives from outside at every step"]])
    hint = "z_t" if variant["keep"] == "z" else "1 - z_t"
    help_text = "## Hints\n\n" + statement.hints(
        "Forward: split the weights into three blocks once, before the loop; write one step for the whole batch; keep "
        "what `backward` will need.",
        r"Backward: walk from the last step to the first with one array, $\mathrm{d}h$, that collects *all* uses of "
        "$h_t$: add `d_h[t]`, go through the last equation, then the one above it, to the first.",
        rf"The state $h_{{t-1}}$ is used in four places: in the last equation, where it passes on ${hint}$ times "
        r"$\mathrm{d}h_t$, in the candidate, and in both gates. What reaches it is the sum over the four.",
        "The two biases of a gate get the same gradient" + (
            r" except in the candidate: there $r_t$ stands between $b'_n$ and the rest."
            if variant["reset"] == "after" else
            r", in the candidate too. And $U_n$ multiplies $r_t \odot h_{t-1}$: this, not $h_{t-1}$, belongs into its "
            "gradient."))
    return statement.build(ASSIGNMENT, variant, [
        ("equations", equations_text), ("shapes", shapes),
        ("by-hand", statement.hand_case(TASK, variant, hand(variant), ["r", "z", "n", "h"])),
        ("forward", FUNCTIONS["forward"], """Run the cell over a batch of sequences.

Returns:
    dict with "h", "r", "z" and "n", each (T, B, H)."""),
        ("backward", FUNCTIONS["backward"], """Backpropagate through `forward`, by hand.

Args:
    cache: "x", "h0", "h", "r", "z", "n" and "past" of a right forward.
    weights: as for `forward`.
    d_h: what arrives at every state from outside, (T, B, H).

Returns:
    dict with "d_x", "d_h0", "d_weight_ih", "d_weight_hh", "d_bias_ih" and "d_bias_hh"."""),
        ("hints", help_text)])


def _written(variant):
    keep = "z_t" if variant["keep"] == "z" else "1 - z_t"
    other = "after" if variant["reset"] == "before" else "before"
    question = rf"""## In your own words

At most 200 words and a formula or two. (a) For this cell, give $\partial h_t / \partial h_{{t-1}}$ in the limit where
${keep}$ is 1 in every entry, and say what that means for a gradient that has to travel a hundred steps. (b) Here the
reset gate acts **{variant["reset"]}** the matrix $U_n$. If every entry of $r_t$ is 0, what of the candidate is left?
Name one thing that would be different with the reset **{other}** the matrix."""
    left = (r"n = φ(W_n x + b_n + b'_n): b'_n stays, since only h is multiplied by r" if variant["reset"] == "before"
            else "n = φ(W_n x + b_n): b'_n goes as well, since r multiplies it too")
    rubric = f"""- 2: the limit is the identity matrix (the paths through gates and candidate vanish: n has weight 0,
  the gate is saturated).
- 2: so the gradient arrives undiminished, whatever U is; but only while the gate stays at that end, and a saturated
  gate learns nothing.
- 3: {left}.
- 2: a true difference: what r_t = 0 leaves of the bias; r scales the *product* or its *input* entry by entry; one
  product with U for all gates is possible only with the reset after.
- 1: said precisely, in the words of this variant and not of another."""
    return question, rubric, 10


TEXT = """
def forward(x, h0, weights):
    return run(equations, VARIANT, dict(x=x, h0=h0, weights=weights))[0]


def backward(cache, weights, d_h):
    return run(equations, VARIANT, dict(x=cache["x"], h0=cache["h0"], weights=weights), dict(h=d_h))[1]
"""

ASSIGNMENT = Assignment(
    name="gru", title="A gated recurrent unit, forward and backward", chapter="gru", minutes=150, difficulty="standard",
    axes=AXES, specimen=SPECIMEN, functions=FUNCTIONS, statement=_statement, rows=ROWS, written=_written,
    reference=lambda variant: reference.paste(variant, (reference.activate, squash, equations), TEXT))
