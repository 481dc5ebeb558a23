"""Long short-term memory: which gates are coupled, who sees the cell, what squashes, and how the rows are ordered."""

import numpy as np

from coursework.family import checks, reference, statement
from coursework.family.assignment import Assignment

AXES = {
    "coupling": ("none", "i = 1 - f", "f = 1 - i"),
    "peephole": ("none", "previous", "mixed"),
    "candidate": ("softsign", "arctan", "algebraic"),     # never tanh: the book prints that backward pass
    "squash": ("tanh", "softsign", "identity"),
    "order": ("ifgo", "fiog", "gfio", "gofi", "oifg", "ogfi"),        # six different ones without i, too, or without f
}
SPECIMEN = {"coupling": "i = 1 - f", "peephole": "previous", "candidate": "softsign", "squash": "identity",
            "order": "oifg"}


def blocks(variant):
    """The gates that have weights, in the order of their rows."""
    left_out = "" if variant["coupling"] == "none" else variant["coupling"][0]
    return [gate for gate in variant["order"] if gate != left_out]


def equations(xp, variant, x, h0, c0, weights):
    """Every state and cell and what they were made of."""
    H, order = h0.shape[-1], blocks(variant)
    peepholes = [gate for gate in order if gate != "g"]

    def part(name, gate):                                 # the rows of one gate
        k = order.index(gate)
        return weights[name][k * H:(k + 1) * H]

    def gate(name, x, h, c):
        a = x @ part("weight_ih", name).mT + h @ part("weight_hh", name).mT + part("bias", name)
        if variant["peephole"] != "none":
            a = a + c * weights["weight_peephole"][peepholes.index(name)]
        return xp.sigmoid(a)

    h, c, kept = h0, c0, {name: [] for name in ("h", "c", "i", "f", "g", "o")}
    for t in range(x.shape[0]):
        before = c
        if variant["coupling"] == "i = 1 - f":
            f = gate("f", x[t], h, before)
            i = 1 - f
        else:
            i = gate("i", x[t], h, before)
            f = 1 - i if variant["coupling"] == "f = 1 - i" else gate("f", x[t], h, before)
        g = activate(xp, variant["candidate"],
                     x[t] @ part("weight_ih", "g").mT + h @ part("weight_hh", "g").mT + part("bias", "g"))
        c = f * before + i * g
        o = gate("o", x[t], h, before if variant["peephole"] == "previous" else c)
        h = o * activate(xp, variant["squash"], c)
        for name, value in (("h", h), ("c", c), ("i", i), ("f", f), ("g", g), ("o", o)):
            kept[name].append(value)
    return {name: xp.stack(values, 0) for name, values in kept.items()} | {"c_last": c}


activate = reference.activate                             # the pasted source finds it under this name


def draw(rng, variant, T, B, D, H):
    """Random arguments."""
    def normal(*shape):
        return rng.standard_normal(shape)

    G = len(blocks(variant))
    weights = {"weight_ih": normal(G * H, D) / D**0.5, "weight_hh": normal(G * H, H) / H**0.5,
               "bias": normal(G * H) / 2}
    if variant["peephole"] != "none":
        weights["weight_peephole"] = normal(G - 1, H)
    return {"x": normal(T, B, D), "h0": normal(B, H), "c0": normal(B, H), "weights": weights}


def hand(variant):
    """One unit, two steps."""
    G = len(blocks(variant))
    weights = {"weight_ih": np.array([[0.5], [-1.0], [1.0], [2.0]])[:G],
               "weight_hh": np.array([[1.0], [0.5], [-2.0], [-0.5]])[:G], "bias": np.array([0.25, 0.5, -0.25, 0.0])[:G]}
    if variant["peephole"] != "none":
        weights["weight_peephole"] = np.array([[0.5], [-1.0], [1.5]])[: G - 1]
    return {"x": np.array([1.0, -0.5]).reshape(2, 1, 1), "h0": np.array([[0.5]]), "c0": np.array([[-1.0]]),
            "weights": weights}


TASK = checks.Task(
    "forward", equations, draw, AXES,
    says={
        "coupling": "the gates are coupled as in {value}; here it is {own}",
        "peephole": "the peepholes are those of {value}; here it is {own}",
        "candidate": "the candidate is squashed by {value}; here by {own}",
        "squash": "the cell is squashed by {value} on its way out; here by {own}",
        "order": "the blocks of rows are read in the order {value}; here it is {own}",
    },
    layout=dict.fromkeys("hcifgo", "T B H") | {"x": "T B D", "h0": "B H", "c0": "B H", "c_last": "B H"},
    slips=(
        ("U is used transposed, block by block", checks.transposed("weight_hh")),
        ("the bias is left out", checks.zeroed("bias")),
        ("the peepholes are left out", checks.zeroed("weight_peephole")),
        ("h0 is taken for zero", checks.zeroed("h0")),
        ("c0 is taken for zero", checks.zeroed("c0")),
        ("h0 and c0 are swapped", lambda variant, given: {**given, "h0": given["c0"], "c0": given["h0"]}),
        ("the steps are taken in reverse", checks.backwards_in_time),
    ),
)


def _carried(variant, given, rng):
    """The forget gate is 1 and the input gate 0, as far as float64 can tell."""
    H, order, bias = given["h0"].shape[1], blocks(variant), given["weights"]["bias"].copy()
    for gate, value in (("f", 300.0), ("i", -300.0)):
        if gate in order:
            k = order.index(gate)
            bias[k * H:(k + 1) * H] = value
    return checks.with_weights(given, bias=bias)


def _forward(*arguments, **options):
    return checks.forward_row(TASK, *arguments, **options)


def _backward(*arguments, **options):
    return checks.backward_row(TASK, *arguments, upstream=("h", "c_last"), **options)


ROWS = (
    checks.hand_row(TASK, 8, hand, ["h", "c"]),
    _forward("gates", 8, "The gates `i`, `f` and `o` of a single step.", ["i", "f", "o"], T=1),
    _forward("candidate", 4, "The candidate `g` of a single step.", ["g"], T=1),
    _forward("forward-cell", 6, "Every cell `c` of random sequences.", ["c"]),
    _forward("forward-random", 10, "Every state `h` of random sequences.", ["h"]),
    _forward("edge-shapes", 4, "One step, one sequence, one unit, one input: all of them right.", ["h", "c"],
             cases=[{"T": 1, "B": 1}, {"H": 1}, {"D": 1}], together=True),
    _forward("carried-cell", 5, "With the forget gate at 1 and the input gate at 0, twenty steps carry the cell "
                                "through.",
             ["c"], cases=2, prepare=_carried, T=20),
    _forward("stability", 4, "Inputs a thousand times as large: finite and right.", ["h", "c"], prepare=checks.large),
    _forward("float32", 4, "`float32` in: accepted, and right to `float32`'s precision.", ["h", "c"], cases=2,
             prepare=checks.float32),
    _backward("backward-inputs", 8, "The gradient of the inputs, `d_x`.", ["d_x"]),
    _backward("backward-states", 8, "The gradients of the first state and cell, `d_h0` and `d_c0`.", ["d_h0", "d_c0"]),
    _backward("backward-input-weights", 8, "The gradient of W, `d_weight_ih`.", ["d_weight_ih"]),
    _backward("backward-recurrent-weights", 8, "The gradient of U, `d_weight_hh`.", ["d_weight_hh"]),
    _backward("backward-biases", 5, "The gradients of the bias and of the peepholes, where there are any.",
              ["d_bias", "d_weight_peephole"]),
)

FUNCTIONS = {"forward": "forward(x, h0, c0, weights)", "backward": "backward(cache, weights, d_h, d_c_last)"}


def _statement(variant):
    order, peepholes = blocks(variant), [gate for gate in blocks(variant) if gate != "g"]

    def gate(name):
        if variant["coupling"].startswith(name + " ="):
            return f"{name}_t &= {variant['coupling'][4:].replace('f', 'f_t').replace('- i', '- i_t')}"
        seen = "c_t" if name == "o" and variant["peephole"] == "mixed" else "c_{t-1}"
        peephole = "" if variant["peephole"] == "none" else rf" + p_{name} \odot {seen}"
        return rf"{name}_t &= \sigma(W_{name} x_t + U_{name} h_{{t-1}} + b_{name}{peephole})"

    candidate, squash = (reference.LATEX[variant[axis]] for axis in ("candidate", "squash"))
    first = ["f", "i"] if variant["coupling"] == "i = 1 - f" else ["i", "f"]
    lines = [gate(first[0]), gate(first[1]), r"g_t &= \varphi(W_g x_t + U_g h_{t-1} + b_g)",
             r"c_t &= f_t \odot c_{t-1} + i_t \odot g_t", gate("o"), r"h_t &= o_t \odot \psi(c_t)"]
    text = "## The cell\n\n$$\n\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}\n$$\n\n" + (
        rf"with $\;\sigma(a) = \frac{{1}}{{1 + e^{{-a}}}}$, $\;\varphi(a) = {candidate.format('a')}\;$ and "
        rf"$\;\psi(c) = {squash.format('c')}$, entry by entry. "
        f"$W$, $U$ and $b$ hold {len(order)} blocks of $H$ rows each, **in the order {', '.join(order)}**. "
        + ("No gate sees the cell. " if variant["peephole"] == "none" else
           f"The peepholes $p$ are the rows of one array, **in the order {', '.join(peepholes)}**. ")
        + "Vectors are columns in the equations and rows in the arrays: one step of `h` has the shape `(B, H)`.")
    G = len(order)
    rows = [
        ["`x`", "`(T, B, D)`", "the inputs of T steps, B sequences"],
        ["`h0`, `c0`", "`(B, H)`", "state and cell before the first step"],
        ["`weights['weight_ih']`", f"`({G}H, D)`", "$W$"], ["`weights['weight_hh']`", f"`({G}H, H)`", "$U$"],
        ["`weights['bias']`", f"`({G}H,)`", "$b$"]]
    if peepholes and variant["peephole"] != "none":
        rows.append(["`weights['weight_peephole']`", f"`({G - 1}, H)`", "$p$, one row a gate"])
    rows += [["`h`, `c`, `i`, `f`, `g`, `o`", "`(T, B, H)`", "states, cells, gates and candidate of every step"],
             ["`d_h`", "`(T, B, H)`", r"$\partial L / \partial h_t$ as it arrives from outside at every step"],
             ["`d_c_last`", "`(B, H)`", r"$\partial L / \partial c_T$ as it arrives from outside, at the last cell "
                                        r"only"]]
    gradients = ["d_x", "d_h0", "d_c0", "d_weight_ih", "d_weight_hh", "d_bias"]
    hints = ["Forward: split the weights into their blocks once, before the loop. The output gate comes last: it may "
             "need "
             "the new cell.",
             r"Backward: carry two arrays from step to step, $\mathrm{d}h$ and $\mathrm{d}c$. Everything that reads "
             r"$c_t$ "
             r"adds to $\mathrm{d}c$: the next step, the way out through $\psi$, and every peephole that sees it.",
             "The cell before has its own sum: $f_t$ times what reached $c_t$"
             + (", and one term for each peephole that sees $c_{t-1}$." if variant["peephole"] != "none" else ".")]
    if variant["coupling"] != "none":
        kept, made = ("f", "i") if variant["coupling"] == "i = 1 - f" else ("i", "f")
        hints.append(f"${made}_t = 1 - {kept}_t$ has no weights: what arrives at ${made}_t$ arrives at ${kept}_t$ "
                     f"with the "
                     "other sign, on top of what is there.")
    if variant["peephole"] != "none":
        gradients.append("d_weight_peephole")
    listed = ", ".join(f'"{name}"' for name in gradients)
    return statement.build(ASSIGNMENT, variant, [
        ("equations", text),
        ("shapes", "## Names and shapes\n\n" + statement.table(["name", "shape", "what it is"], rows)),
        ("by-hand", statement.hand_case(TASK, variant, hand(variant), ["i", "f", "g", "o", "c", "h"])),
        ("forward", FUNCTIONS["forward"], """Run the cell over a batch of sequences.

Returns:
    dict with "h", "c", "i", "f", "g" and "o", each (T, B, H)."""),
        ("backward", FUNCTIONS["backward"], f"""Backpropagate through `forward`, by hand.

Args:
    cache: "x", "h0", "c0", "h", "c", "i", "f", "g" and "o" of a right forward.
    weights: as for `forward`.
    d_h: what arrives at every state from outside, (T, B, H).
    d_c_last: what arrives at the last cell from outside, (B, H).

Returns:
    dict with {listed}."""),
        ("hints", "## Hints\n\n" + statement.hints(*hints))])


def _written(variant):
    coupled = variant["coupling"] != "none"
    part = (f"Here {variant['coupling'].replace(' - ', ' − ')}. What can a cell with two free gates do that this one "
            f"cannot?"
            if coupled else "What could this cell no longer do if i were 1 − f?")
    question = rf"""## In your own words

At most 200 words and a formula or two. (a) Write $\partial c_t / \partial c_{{t-1}}$ as the direct path plus the rest,
and name every path of the rest **in this cell**. (b) {part} (c) A forget gate of 0.99 in every step: what is left of a
gradient along the direct path after 100 steps, and after 500?"""
    peephole = {"none": "only through h_{t-1} into the gates and the candidate",
                "previous": "through h_{t-1} into gates and candidate, and through the peepholes that read c_{t-1}, "
                            "o's too",
                "mixed":
                "through h_{t-1} into gates and candidate, and through the peepholes of the gates other than o"}
    rubric = f"""- 2: the direct path is diag(f_t).
- 3: the rest: {peephole[variant["peephole"]]}.
- 2: with coupling the cell cannot keep everything *and* add (count, accumulate), nor forget without writing.
- 2: 0.99^100 ≈ 0.37 and 0.99^500 ≈ 0.007.
- 1: said precisely, in the words of this variant and not of another."""
    return question, rubric, 10


TEXT = """
def forward(x, h0, c0, weights):
    return run(equations, VARIANT, dict(x=x, h0=h0, c0=c0, weights=weights))[0]


def backward(cache, weights, d_h, d_c_last):
    given = dict(x=cache["x"], h0=cache["h0"], c0=cache["c0"], weights=weights)
    return run(equations, VARIANT, given, dict(h=d_h, c_last=d_c_last))[1]
"""

ASSIGNMENT = Assignment(
    name="lstm", title="Long short-term memory, forward and backward", chapter="lstm", minutes=180,
    difficulty="standard", axes=AXES, specimen=SPECIMEN, functions=FUNCTIONS, statement=_statement, rows=ROWS,
    written=_written, reference=lambda variant: reference.paste(variant, (reference.activate, blocks, equations), TEXT))
