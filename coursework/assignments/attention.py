"""Attention: how a key is scored, how scores become weights, what a mask means, and which state asks."""

import numpy as np

from coursework.family import checks, reference, statement
from coursework.family.assignment import Assignment

AXES = {
    "score": ("additive", "dot", "general", "cosine"),
    "weights": ("zero", "softsign", "algebraic"),         # never plain softmax: the book prints that backward pass
    "mask": ("True takes part", "True is left out"),
    "query": ("previous", "current"),
    "output": ("plain", "gated"),
}
SPECIMEN = {"score": "general", "weights": "zero", "mask": "True is left out", "query": "current", "output": "gated"}


def equations(xp, variant, query, keys, values, mask, weights):
    """What every query gets from the keys that take part."""
    width = query.shape[-1]
    if variant["score"] == "additive":
        a = (query @ weights["weight_query"].mT)[:, :, None] + (keys @ weights["weight_key"].mT)[:, None]
        scores = xp.sum(xp.arctan(a) * weights["vector"], -1)                 # (B, T, S)
    elif variant["score"] == "dot":
        scores = query @ keys.mT / width**0.5
    elif variant["score"] == "general":
        scores = query @ weights["weight_score"] @ keys.mT
    else:
        unit_query = query / xp.sqrt(xp.sum(query * query, -1, keepdims=True))
        unit_keys = keys / xp.sqrt(xp.sum(keys * keys, -1, keepdims=True))
        scores = weights["temperature"] * (unit_query @ unit_keys.mT)
    takes_part = (mask if variant["mask"] == "True takes part" else ~mask)[:, None, :]
    if variant["weights"] == "zero":
        logits = xp.where(takes_part, scores, -float("inf"))
        alignment = xp.softmax(xp.concatenate([logits, xp.zeros_like(scores[:, :, :1])], -1), -1)[:, :, :-1]
    else:
        share = 1 + scores / (1 + xp.abs(scores))
        if variant["weights"] == "algebraic":
            share = scores + xp.sqrt(1 + scores**2)
        share = xp.where(takes_part, share, 0.0)
        alignment = share / xp.sum(share, -1, keepdims=True)
    mixed = alignment @ values
    context = mixed @ weights["weight_out"].mT
    if variant["output"] == "gated":
        context = context * xp.sigmoid(query @ weights["weight_gate"].mT + weights["bias_gate"])
    return {"scores": scores, "alignment": alignment, "mixed": mixed, "context": context}


def decode_equations(xp, variant, x, s0, keys, values, mask, weights):
    """A decoder that asks once a step."""
    s, kept = s0, {"s": [], "y": [], "alignment": []}
    for t in range(x.shape[1]):
        drive = x[:, t] @ weights["weight_ih"].mT + s @ weights["weight_hh"].mT + weights["bias"]
        if variant["query"] == "current":
            s = xp.tanh(drive)
        found = equations(xp, variant, s[:, None], keys, values, mask, weights)
        seen = found["context"][:, 0] @ weights["weight_context"].mT
        if variant["query"] == "current":
            y = xp.tanh(s + seen)
        else:
            y = s = xp.tanh(drive + seen)
        for name, value in (("s", s), ("y", y), ("alignment", found["alignment"][:, 0])):
            kept[name].append(value)
    return {name: xp.stack(values, 1) for name, values in kept.items()}


def attention_weights(rng, variant, H, V, A):
    """Random weights of the attention."""
    def normal(*shape):
        return rng.standard_normal(shape) / shape[-1] ** 0.5

    weights = {
        "additive": {"weight_query": normal(A, H), "weight_key": normal(A, H), "vector": 2 * normal(A)},
        "dot": {}, "general": {"weight_score": normal(H, H)}, "cosine": {"temperature": rng.uniform(1, 3, (1,))},
    }[variant["score"]] | {"weight_out": normal(H, V)}
    if variant["output"] == "gated":
        weights |= {"weight_gate": normal(H, H), "bias_gate": normal(H)}
    return weights


def a_mask(rng, variant, B, S):
    """Of every sequence one key at least takes part, two of three, and one does not where there are two."""
    takes_part = rng.uniform(size=(B, S)) < 0.6
    takes_part[:, : 1 + (S > 2)] = True
    if S > 1:
        takes_part[:, -1] = False
    takes_part = rng.permuted(takes_part, axis=1)
    return takes_part if variant["mask"] == "True takes part" else ~takes_part


def draw(rng, variant, B, T, S, H, V, D, A):
    """Random arguments of `forward`."""
    return {"query": rng.standard_normal((B, T, H)), "keys": rng.standard_normal((B, S, H)),
            "values": rng.standard_normal((B, S, V)), "mask": a_mask(rng, variant, B, S),
            "weights": attention_weights(rng, variant, H, V, A)}


def draw_decode(rng, variant, B, T, S, H, V, D, A):
    """Random arguments of `decode`."""
    given = draw(rng, variant, B=B, T=T, S=S, H=H, V=V, D=D, A=A)
    del given["query"]
    given["weights"] |= {name: rng.standard_normal(shape) / shape[-1] ** 0.5 for name, shape in (
        ("weight_ih", (H, D)), ("weight_hh", (H, H)), ("weight_context", (H, H)), ("bias", (H,)))}
    return {"x": rng.standard_normal((B, T, D)), "s0": rng.standard_normal((B, H)), **given}


def hand(variant):
    """One query, three keys, one of them left out."""
    weights = {
        "additive": {"weight_query": np.array([[1.0]]), "weight_key": np.array([[-0.5]]), "vector": np.array([2.0])},
        "dot": {}, "general": {"weight_score": np.array([[0.5]])}, "cosine": {"temperature": np.array([2.0])},
    }[variant["score"]] | {"weight_out": np.array([[2.0]])}
    if variant["output"] == "gated":
        weights |= {"weight_gate": np.array([[-0.5]]), "bias_gate": np.array([1.0])}
    takes_part = np.array([[True, True, False]])
    return {"query": np.array([[[2.0]]]), "keys": np.array([[[1.0], [-0.5], [3.0]]]),
            "values": np.array([[[1.0], [-2.0], [4.0]]]), "weights": weights,
            "mask": takes_part if variant["mask"] == "True takes part" else ~takes_part}


def _unmasked(variant, given):
    return {**given, "mask": np.full_like(given["mask"], variant["mask"] == "True takes part")}


SAYS = {
    "score": "the score is {value}; here it is {own}",
    "output": "the output is {value}; here it is {own}",
    "weights": "the scores become weights as in the variant {value}; here it is {own}",
    "mask": "the mask is read as {value}; here {own}",
    "query": "the state that asks is the {value} one; here it is the {own} one",
}
SLIPS = (
    ("the mask is not applied", _unmasked),
    ("the matrix in the score is used transposed", checks.transposed("weight_score")),
    ("the gate is always half open", lambda variant, given: checks.with_weights(
        given, weight_gate=0 * given["weights"]["weight_gate"], bias_gate=0 * given["weights"]["bias_gate"])
        if variant["output"] == "gated" else None),
    ("the gate has no bias", checks.zeroed("bias_gate")),
)
LAYOUT = {"query": "B T H", "keys": "B S H", "values": "B S V", "mask": "B S", "scores": "B T S", "alignment": "B T S",
          "mixed": "B T V", "context": "B T H", "x": "B T D", "s0": "B H", "s": "B T H", "y": "B T H"}
TASK = checks.Task("forward", equations, draw, AXES, SAYS, LAYOUT, SLIPS, sizes="BTSHVDA")
DECODE = checks.Task("decode", decode_equations, draw_decode, AXES, SAYS, LAYOUT,
                     (*SLIPS, ("s0 is taken for zero", checks.zeroed("s0"))), sizes="BTSHVDA")


def _padded(variant, given, rng):
    """Where a key is left out, there are numbers that nobody should see."""
    left_out = given["mask"] != (variant["mask"] == "True takes part")
    junk = np.where(left_out[:, :, None], 1e4, 1.0)
    return {**given, "keys": given["keys"] * junk, "values": given["values"] * junk}


def _large(variant, given, rng):
    """Queries of a thousand: scores an exponential of which is inf."""
    return {**given, "query": 1e3 * given["query"]}


def _forward(*arguments, **options):
    return checks.forward_row(TASK, *arguments, **options)


# Several keys: with a single one that takes part, some variants give it all, and the gradient of a score is 0.
def _backward(*arguments, **options):
    return checks.backward_row(TASK, *arguments, upstream=("context",), S=9, **options)


ROWS = (
    checks.hand_row(TASK, 8, hand, ["scores", "alignment", "context"]),
    _forward("scores", 8, "The scores of random queries and keys, before the mask.", ["scores"]),
    _forward("alignment", 10, "The weights that the scores become, with a mask.", ["alignment"]),
    _forward("context", 8, "What every query gets.", ["context"]),
    _forward("padding", 6, "Whatever stands where a key is left out changes nothing.", ["alignment", "context"],
             prepare=_padded),
    _forward("edge-shapes", 4, "One query, one key, one sequence, one value: all of them right.",
             ["alignment", "context"], cases=[{"T": 1, "B": 1}, {"S": 1}, {"V": 1}], together=True),
    _forward("stability", 4, "Queries a thousand times as large: finite and right.", ["alignment", "context"],
             prepare=_large),
    _forward("float32", 3, "`float32` in: accepted, and right to `float32`'s precision.", ["context"], cases=2,
             prepare=checks.float32),
    checks.forward_row(DECODE, "decoder-states", 11, "States and outputs of a decoder that asks once a step.", ["s",
    "y"]),
    _backward("backward-query", 7, "The gradient of the queries.", ["d_query"]),
    _backward("backward-keys", 7, "The gradient of the keys.", ["d_keys"]),
    _backward("backward-values", 6, "The gradient of the values.", ["d_values"]),
    _backward("backward-weights", 8, "The gradients of all weights of the attention.",
              ["d_weight_query", "d_weight_key", "d_vector", "d_weight_score", "d_temperature", "d_weight_out",
               "d_weight_gate", "d_bias_gate"]),
)

FUNCTIONS = {
    "forward": "forward(query, keys, values, mask, weights)", "backward": "backward(cache, weights, d_context)",
    "decode": "decode(x, s0, keys, values, mask, weights)",
}


def _statement(variant):
    score = {"additive": r"v^\top \arctan(W_q q_t + W_k k_s)", "dot": r"\frac{q_t^\top k_s}{\sqrt{H}}",
             "general": r"q_t^\top A\, k_s", "cosine": r"\tau \frac{q_t^\top k_s}{\lVert q_t \rVert \lVert k_s \rVert}"}
    share = {"zero": r"\frac{e^{e_{ts}}}{1 + \sum_{s' \in M} e^{e_{ts'}}}",
             "softsign": r"\frac{\rho(e_{ts})}{\sum_{s' \in M} \rho(e_{ts'})}, \qquad \rho(e) = 1 + \frac{e}{1 + |e|}",
             "algebraic": r"\frac{\rho(e_{ts})}{\sum_{s' \in M} \rho(e_{ts'})}, \qquad \rho(e) = e + \sqrt{1 + e^2}"}
    gate = r" \odot \sigma(W_g q_t + b_g)" if variant["output"] == "gated" else ""
    sigma = r" $\sigma(a) = 1 / (1 + e^{-a})$." if variant["output"] == "gated" else ""
    taken = ("is **True** where key $s$ takes part" if variant["mask"] == "True takes part"
             else "is **True** where key $s$ is left out")
    text = rf"""## Attention

$$
\begin{{aligned}}
e_{{ts}} &= {score[variant["score"]]} \\
p_{{ts}} &= {share[variant["weights"]]} \quad (s \in M), \qquad p_{{ts}} = 0 \quad (s \notin M) \\
m_t &= \sum_s p_{{ts}} v_s \\
c_t &= W_o m_t{gate}
\end{{aligned}}
$$

$M$ holds the keys that take part: `mask[b, s]` {taken}; at least one does.{sigma} Vectors are columns in the equations
and rows in the arrays."""
    decoder = (r"""s_t &= \tanh(W x_t + U s_{t-1} + b) \\
c_t &= \text{what } q = s_t \text{ gets} \\
y_t &= \tanh(s_t + C c_t)""" if variant["query"] == "current" else r"""c_t &= \text{what } q = s_{t-1} \text{ gets} \\
s_t &= \tanh(W x_t + U s_{t-1} + C c_t + b) \\
y_t &= s_t""")
    own = {"additive": [["`weights['weight_query']`, `weights['weight_key']`", "`(A, H)`", "$W_q$, $W_k$"],
                        ["`weights['vector']`", "`(A,)`", "$v$ of the score"]], "dot": [],
           "general": [["`weights['weight_score']`", "`(H, H)`", "$A$"]],
           "cosine": [["`weights['temperature']`", "`(1,)`", r"$\tau$"]]}[variant["score"]]
    if variant["output"] == "gated":
        own = [*own, ["`weights['weight_gate']`, `weights['bias_gate']`", "`(H, H)`, `(H,)`", "$W_g$, $b_g$"]]
    rows = [["`query`", "`(B, T, H)`", "T queries a sequence"],
            ["`keys`, `values`", "`(B, S, H)`, `(B, S, V)`", "S keys and their values"],
            ["`mask`", "`(B, S)`, `bool`", "see above"], *own, ["`weights['weight_out']`", "`(H, V)`", "$W_o$"],
            ["`scores`", "`(B, T, S)`", "$e$, of all keys, before the mask"], ["`alignment`", "`(B, T, S)`", "$p$"],
            ["`mixed`", "`(B, T, V)`", "$m$"], ["`context`", "`(B, T, H)`", "$c$"]]
    decoder_rows = [["`x`", "`(B, T, D)`", "the inputs"], ["`s0`", "`(B, H)`", "the state before the first step"],
                    ["`weights['weight_ih']`, `weights['weight_hh']`", "`(H, D)`, `(H, H)`", "$W$, $U$"],
                    ["`weights['weight_context']`, `weights['bias']`", "`(H, H)`, `(H,)`", "$C$, $b$"],
                    ["`s`, `y`", "`(B, T, H)`", "states and outputs"]]
    names = sorted(attention_weights(np.random.default_rng(0), variant, 1, 1, 1))
    gradients = ", ".join(f'"d_{name}"' for name in ["query", "keys", "values", *names])
    through = {
        "zero": r"$\mathrm{d}e = p \odot (\mathrm{d}p - \sum p \odot \mathrm{d}p)$ holds with the 1 in the "
                r"denominator, "
                "too: think of it as a score of 0 with a value of nothing. Take the largest score away before the "
                "exponential, and take it away from that 0 as well.",
        "softsign": r"With $\rho$ and its sum $R$: $\mathrm{d}\rho = (\mathrm{d}p - \sum p \odot \mathrm{d}p) / R$. "
                    r"Recompute "
                    r"$\rho$ from `scores`; $\rho'(e) = 1 / (1 + |e|)^2$.",
        "algebraic": r"With $\rho$ and its sum $R$: $\mathrm{d}\rho = (\mathrm{d}p - \sum p \odot \mathrm{d}p) / R$. "
                     r"Recompute "
                     r"$\rho$ from `scores`; $\rho'(e) = \rho(e) / \sqrt{1 + e^2}$."}
    scored = {"additive": "A score depends on its query and its key through one sum: form $a_{ts}$ for all pairs, (B, "
                          "T, S, A), "
                          "and sum what arrives there over s for the queries and over t for the keys.",
              "dot": "The scale belongs into both gradients, of queries and of keys.",
              "general": "Give $q^\\top A$ a name: its gradient serves $A$, and $A$ takes it on to the query.",
              "cosine": r"With $\hat q = q / \lVert q \rVert$: $\mathrm{d}q = (\mathrm{d}\hat q - \hat q (\hat q^\top "
                        r"\mathrm{d}\hat q)) / \lVert q \rVert$; the same for keys."}
    return statement.build(ASSIGNMENT, variant, [
        ("equations", text),
        ("shapes", "## Names and shapes\n\n" + statement.table(["name", "shape", "what it is"], rows)),
        ("by-hand", statement.hand_case(TASK, variant, hand(variant), ["scores", "alignment", "mixed", "context"])),
        ("forward", FUNCTIONS["forward"], """Attend.

Returns:
    dict with "scores" and "alignment", (B, T, S), and "context", (B, T, H)."""),
        ("backward", FUNCTIONS["backward"], f"""Backpropagate through `forward`, by hand.

Args:
    cache: "query", "keys", "values", "mask", "scores", "alignment", "mixed" and "context" of a right forward.
    weights: as for `forward`.
    d_context: what arrives at every context, (B, T, H).

Returns:
    dict with {gradients}."""),
        ("decoder", f"## A decoder\n\nThe **{variant['query']}** state asks:\n\n$$\n\\begin{{aligned}}\n{decoder}\n"
                    "\\end{aligned}\n$$\n\nForward only. `weights` holds those of the attention and these:\n\n"
                    + statement.table(["name", "shape", "what it is"], decoder_rows)),
        ("decode", FUNCTIONS["decode"], """Run the decoder.

Returns:
    dict with "s" and "y", (B, T, H)."""),
        ("hints", "## Hints\n\n" + statement.hints(
            "Forward: no loop is needed; `a @ b.mT` multiplies the last two axes of every sequence. Keep scores "
            "before the mask "
            "and weights after it apart.",
            "Backward: five lines in the reverse order of the equations. A key that is left out has the weight 0 and "
            "passes "
            "nothing back.", through[variant["weights"]], scored[variant["score"]]))])


def _written(variant):
    question = rf"""## In your own words

At most 200 words and a formula or two. (a) If every score of a query goes to $-\infty$ together, what do the weights
of **this** attention do, and what would those of a softmax do? (b) A colleague passes a mask of the other convention.
Nothing raises: how would you notice, and which test would have caught it? (c) The **{variant["query"]}** state asks
here. What can the context of step t not depend on?"""
    limit = {"zero": "they all go to 0: attending to nothing is possible",
             "softsign": "they become shares of 1 / (1 + |e|), so in the limit of 1 / |e|: finite, they sum to 1",
             "algebraic": "they become shares of 1 / (2 |e|): finite, they sum to 1"}[variant["weights"]]
    past = ("anything of the input x_t, since s_{t-1} asks before it is read" if variant["query"] == "previous"
            else "inputs after t; x_t itself does count, since s_t asks")
    rubric = f"""- 3: here: {limit}; a softmax depends on differences of scores only, so nothing happens.
- 4: real keys are ignored and padding attended to: outputs change with the padding; a test that changes what is left
  out and expects nothing to change (and one that changes what takes part and expects a change).
- 2: {past}.
- 1: said precisely, in the words of this variant and not of another."""
    return question, rubric, 10


TEXT = """
def forward(query, keys, values, mask, weights):
    return run(equations, VARIANT, dict(query=query, keys=keys, values=values, mask=mask, weights=weights))[0]


def backward(cache, weights, d_context):
    given = {name: cache[name] for name in ("query", "keys", "values", "mask")} | {"weights": weights}
    return run(equations, VARIANT, given, dict(context=d_context))[1]


def decode(x, s0, keys, values, mask, weights):
    return run(decode_equations, VARIANT, dict(x=x, s0=s0, keys=keys, values=values, mask=mask, weights=weights))[0]
"""

ASSIGNMENT = Assignment(
    name="attention", title="Attention, forward and backward, and a decoder that asks", chapter="attention",
    minutes=180, difficulty="demanding", axes=AXES, specimen=SPECIMEN, functions=FUNCTIONS, statement=_statement,
    rows=ROWS, written=_written,
    reference=lambda variant: reference.paste(variant, (equations, decode_equations), TEXT))
