"""Bugs in the practice solution of `transformers`: (old text, new text, rows that may be lost)."""

STEP = {"cached-step", "cache-edges"}
WHOLE = {"hand-case", "forward-random", "causality", "edge-shapes", "stability", "float32"}
OUTPUT = WHOLE | STEP
WEIGHTS = OUTPUT | {"alignment"}
INPUTS, PROJECTIONS, OUT, GAIN = ({f"backward-{name}"} for name in ("inputs", "projections", "output", "gain"))
NORM = INPUTS | PROJECTIONS | OUT

MUTANTS = [
    # what whole sequences and steps share
    ("reshape(B, T, heads, width // heads).swapaxes(1, 2)", "reshape(B, heads, T, width // heads)",
     WEIGHTS | {"queries-and-keys"} | INPUTS | PROJECTIONS),
    ("reshape(B, T, heads, width // heads).swapaxes(1, 2)",
     "reshape(B, T, width // heads, heads).transpose(0, 3, 1, 2)",
     WEIGHTS | {"queries-and-keys"} | INPUTS | PROJECTIONS),
    ("a.swapaxes(1, 2).reshape(B, T, heads * N)", "a.reshape(B, T, heads * N)", OUTPUT | INPUTS | PROJECTIONS),
    ("np.arange(S - T, S)[:, None]", "np.arange(T)[:, None]", STEP),
    ("2.0 ** -np.arange(1, heads + 1)", "2.0 ** -np.arange(heads)", WEIGHTS),
    ("2.0 ** -np.arange(1, heads + 1)", "0.5 + 0 * np.arange(1, heads + 1)", WEIGHTS),
    ("2.0 ** -np.arange(1, heads + 1)", "2.0 ** -np.arange(heads, 0, -1)", WEIGHTS),
    ("q @ k.mT / N", "q @ k.mT / np.sqrt(N)", WEIGHTS),
    ("q @ k.mT / N", "q @ k.mT", WEIGHTS),
    ("q @ k.mT / N - slopes", "q @ k.mT / N + slopes", WEIGHTS),
    ("np.sqrt(np.maximum(distance, 0))", "np.maximum(distance, 0)", WEIGHTS),
    ("np.sqrt(np.maximum(distance, 0))", "0 * distance", WEIGHTS),
    ("(distance < 0) | (distance >= WINDOW)", "(distance < 0) | (distance > WINDOW)", WEIGHTS),
    ("(distance < 0) | (distance >= WINDOW)", "(distance < 0)", WEIGHTS),
    ("(distance < 0) | (distance >= WINDOW)", "(distance >= WINDOW)", WEIGHTS - STEP),
    ("(distance < 0) | (distance >= WINDOW)", "(distance <= 0) & (distance > -WINDOW)", WEIGHTS | {"causality"}),
    ("= -np.inf", "= -1e2", {"stability", "causality"}),
    ("np.exp(scores - scores.max(-1, keepdims=True))", "np.exp(scores)", {"stability", "causality"}),
    ("shares / shares.sum(-1, keepdims=True)", "shares / shares.sum(-2, keepdims=True)", WEIGHTS),
    ("deviation = z - z.mean(-1, keepdims=True)", "deviation = z", OUTPUT | NORM | GAIN),
    ("deviation = z - z.mean(-1, keepdims=True)", "deviation = z - z.mean(1, keepdims=True)", OUTPUT | NORM | GAIN),
    ("(deviation**2).mean(-1, keepdims=True)", "(deviation**2).sum(-1, keepdims=True)", OUTPUT | NORM | GAIN),
    ("keepdims=True) + 1e-5)", "keepdims=True) + 1e-1)", OUTPUT | NORM | GAIN),
    # forward
    ("    z = x + mixed @ weights", "    z = mixed @ weights", WHOLE),
    ("    z = x + mixed @ weights[\"weight_out\"].T", "    z = x + mixed @ weights[\"weight_out\"]", WHOLE),
    ("y = centred(z)[0] * weights[\"gain\"]", "y = centred(z)[0]", WHOLE),
    ("    alignment, mixed = attend(q, k, v)\n", "    assert x.dtype == np.float64\n    alignment, mixed = attend(q, "
                                                 "k, v)\n",
     {"float32"}),
    ("    alignment, mixed = attend(q, k, v)\n", "    alignment, mixed = attend(k, q, v)\n", WHOLE | {"alignment"}),
    # step
    ("np.concatenate([keys, k], axis=2)", "np.concatenate([k, keys], axis=2)", STEP),
    ("np.concatenate([values, v], axis=2)", "np.concatenate([values, k], axis=2)", STEP),
    ("attend(q, keys, values)[1]", "attend(q, keys[:, :, -2:], values[:, :, -2:])[1]", STEP),
    ("    z = x + attend", "    z = attend", STEP),
    ("    x = x_t[:, None]  ", "    assert keys.shape[2]\n    x = x_t[:, None]  ", {"cache-edges"}),
    # backward
    ("d_u = d_y * weights[\"gain\"]", "d_u = d_y", NORM),
    ("(d_u - d_u.mean(-1, keepdims=True) - u", "(d_u - u", NORM),
    (" - u * (u * d_u).mean(-1, keepdims=True))", ")", NORM),
    ("(u * d_u).mean(-1, keepdims=True)) / length", "(u * d_u).mean(-1, keepdims=True))", NORM),
    ("d_z @ weights[\"weight_out\"], heads)", "d_z @ weights[\"weight_out\"].T, heads)", INPUTS | PROJECTIONS),
    ("(d_alignment - (alignment * d_alignment).sum(-1, keepdims=True))", "d_alignment", INPUTS | PROJECTIONS),
    ("(alignment * d_alignment).sum(-1, keepdims=True)", "(alignment * d_alignment).sum(-2, keepdims=True)",
     INPUTS | PROJECTIONS),
    (" / q.shape[-1]\n", "\n", INPUTS | PROJECTIONS),
    (" / q.shape[-1]\n", " / q.shape[-1] ** 0.5\n", INPUTS | PROJECTIONS),
    ("merge(d_scores.mT @ q)", "merge(d_scores @ q)", INPUTS | PROJECTIONS),
    ("merge(d_scores @ k)", "merge(d_scores @ q)", INPUTS | PROJECTIONS),
    ("merge(alignment.mT @ d_found)", "merge(alignment @ d_found)", INPUTS | PROJECTIONS),
    ("d_x = d_z.copy()", "d_x = 0 * d_z", INPUTS),
    ("d_x = d_z.copy()", "d_x = d_y.copy()", INPUTS),
    ("d_x += d @ weights[name]", "d_x += d @ weights[name].T", INPUTS),
    ("np.einsum(\"bti,btj->ij\", d, x)", "np.einsum(\"bti,btj->ji\", d, x)", PROJECTIONS),
    ("np.einsum(\"bti,btj->ij\", d_z, cache", "np.einsum(\"bti,btj->ij\", d_y, cache", OUT),
    ("(d_y * u).sum((0, 1))", "(d_u * u).sum((0, 1))", GAIN),
]
