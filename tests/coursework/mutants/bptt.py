"""Bugs in the practice solution of `bptt`: (old text, new text, rows that may be lost)."""

LOSS = {"hand-case", "loss", "edge-shapes", "stability", "float32"}
STATES = LOSS | {"forward-random"}
INPUTS, FIRST, WEIGHTS, OUT = ({f"backward-{name}"} for name in ("inputs", "state", "weights", "readout"))
STATE = INPUTS | FIRST | WEIGHTS
WINDOW = {"truncated-weights", "window-edges"}
CLIP = {"clip-above", "clip-untouched"}
NORMS = {"norms-by-distance"}

MUTANTS = [
    # forward
    ("last @ weights[\"weight_hh\"].T", "last @ weights[\"weight_hh\"]", STATES),
    ("last @ weights[\"weight_hh\"].T + weights[\"bias\"]", "last @ weights[\"weight_hh\"].T", STATES),
    ("last = h[t] = a / (1 + np.abs(a))", "last = h[t] = np.tanh(a)", STATES),
    ("last = h[t] = a / (1 + np.abs(a))", "h[t] = a / (1 + np.abs(a))", STATES),
    ("    last = h0\n", "    last = 0 * h0\n", STATES),
    ("    last = h0\n", "    last = h0\n    x = np.clip(x, -100, 100)\n", {"stability"}),
    ("    last = h0\n", "    last = h0\n    assert x.dtype == np.float64\n", {"float32"}),
    ("    last = h0\n", "    last = h0\n    assert x.shape[2] > 1\n", {"edge-shapes", "hand-case"}),
    ("weights[\"weight_out\"].T + weights[\"bias_out\"]", "weights[\"weight_out\"].T", STATES),
    ("((y - target) ** 2).sum((1, 2))).sum()", "((y - target) ** 2).mean((1, 2))).sum()", LOSS),
    ("/ (2 * B)", "/ B", LOSS),
    ("/ (2 * B)", "/ 2", LOSS),
    ("(discounts(T) * ((y", "(discounts(T)[::-1] * ((y", LOSS),
    ("(discounts(T) * ((y", "(((y", LOSS),
    # backward
    ("(cache[\"y\"] - cache[\"target\"]) / B", "(cache[\"y\"] - cache[\"target\"])", STATE | OUT | WINDOW),
    ("(cache[\"y\"] - cache[\"target\"]) / B", "(cache[\"target\"] - cache[\"y\"]) / B", STATE | OUT | WINDOW),
    ("return d_loss * discounts(T)", "return discounts(T)", STATE | OUT | WINDOW),
    ("return d_loss * discounts(T)", "return d_loss * 0.9 * discounts(T)", STATE | OUT | WINDOW),
    ("return (1 - np.abs(h)) ** 2  ", "return 1 - h**2  ", STATE | WINDOW | NORMS),
    ("return (1 - np.abs(h)) ** 2  ", "return 1 / (1 + np.abs(h)) ** 2  ", STATE | WINDOW | NORMS),
    ("d_state = d_state + d_y[t] @ weights[\"weight_out\"]", "d_state = d_y[t] @ weights[\"weight_out\"]", STATE),
    ("d_a[t] = d_state * slope(h[t])", "d_a[t] = d_state * slope(before[t])", STATE),
    ("d_state = d_a[t] @ U", "d_state = d_a[t] @ U.T", STATE),
    ("d_state = d_a[t] @ U", "d_state = d_state + d_a[t] @ U", STATE),
    ("\"d_x\": d_a @ weights[\"weight_ih\"]", "\"d_x\": d_a[::-1] @ weights[\"weight_ih\"]", INPUTS),
    ("\"d_h0\": d_state", "\"d_h0\": d_state @ U", FIRST),
    ("np.einsum(\"tbh,tbk->hk\", d_a, before), \"d_bias\": d_a.sum((0, 1)),",
     "np.einsum(\"tbh,tbk->hk\", d_a, h), \"d_bias\": d_a.sum((0, 1)),", WEIGHTS),
    ("d_a, before), \"d_bias\": d_a.sum((0, 1)),", "d_a, before), \"d_bias\": d_a.mean((0, 1)),", WEIGHTS),
    ("np.einsum(\"tbo,tbh->oh\", d_y, h)", "np.einsum(\"tbo,tbh->oh\", d_y, before)", OUT),
    ("\"d_bias_out\": d_y.sum((0, 1))", "\"d_bias_out\": d_y[-1].sum(0)", OUT),
    # truncated
    ("max(-1, t - window)", "max(-1, t - window - 1)", WINDOW),
    ("max(-1, t - window)", "max(-1, t - window + 1)", WINDOW),
    ("max(-1, t - window)", "t - window", {"window-edges", "truncated-weights"}),
    ("max(-1, t - window)", "-1", WINDOW),
    ("max(-1, t - window)", "max(-1, t // window * window - 1)", WINDOW),
    ("d_a[s] += here", "d_a[s] = here", WINDOW),
    ("d_state = here @ U", "d_state = here @ U.T", WINDOW),
    ("here = d_state * slope(h[s])", "here = d_state * slope(h[t])", WINDOW),
    # clip
    ("norm = np.sqrt((g**2).sum())", "norm = np.sqrt((g**2).mean())", CLIP),
    ("norm = np.sqrt((g**2).sum())", "norm = (g**2).sum()", CLIP),
    ("norm = np.sqrt((g**2).sum())", "norm = np.sqrt(sum((v**2).sum() for v in gradients.values()))", CLIP),
    ("g * (threshold / norm) if norm > threshold else g", "np.clip(g, -threshold, threshold)", CLIP),
    ("g * (threshold / norm) if norm > threshold else g", "g * (threshold / norm)", {"clip-untouched"}),
    ("g * (threshold / norm) if norm > threshold else g", "g * min(1, np.divide(threshold, norm * norm))", CLIP),
    # norms
    ("cache[\"h\"][::-1]", "cache[\"h\"]", NORMS),
    ("sizes.append(np.linalg.norm(d_state, axis=1).mean())", "sizes.append(np.linalg.norm(d_state))", NORMS),
    ("(d_state * slope(h)) @ weights[\"weight_hh\"]", "(d_state @ weights[\"weight_hh\"]) * slope(h)", NORMS),
    ("np.array([*sizes, np.linalg", "np.array([*sizes[::-1], np.linalg", NORMS),
]
