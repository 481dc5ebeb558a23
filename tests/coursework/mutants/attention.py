"""Bugs in the practice solution of `attention`: (old text, new text, rows that may be lost)."""

CONTEXT = {"hand-case", "context", "padding", "edge-shapes", "stability", "float32", "decoder-states"}
ALIGNMENT = CONTEXT | {"alignment"}
SCORES = ALIGNMENT | {"scores"}
DECODE = {"decoder-states"}
QUERY, KEYS, VALUES, WEIGHTS = ({f"backward-{name}"} for name in ("query", "keys", "values", "weights"))
ALL = QUERY | KEYS | VALUES | WEIGHTS

MUTANTS = [
    # forward
    ("scores = query @ weights[\"weight_score\"] @", "scores = query @ weights[\"weight_score\"].T @", SCORES),
    ("scores = query @ weights[\"weight_score\"] @", "scores = query @", SCORES),
    ("@ keys.mT                        # (B, T, S)", "@ keys.mT / query.shape[-1] ** 0.5", SCORES),
    ("np.where(mask[:, None], -np.inf, scores)", "np.where(mask[:, None], scores, -np.inf)", ALIGNMENT),
    ("np.where(mask[:, None], -np.inf, scores)", "scores", ALIGNMENT),
    ("np.where(mask[:, None], -np.inf, scores)", "np.where(mask[:, None], 0, scores)", ALIGNMENT),
    ("peak = np.maximum(logits.max(-1, keepdims=True), 0)", "peak = 0 * logits.max(-1, keepdims=True)", {"stability"}),
    ("(np.exp(-peak) + shares", "(1 + shares", ALIGNMENT),
    ("(np.exp(-peak) + shares.sum(-1, keepdims=True))", "shares.sum(-1, keepdims=True)", ALIGNMENT),
    ("(np.exp(-peak) + shares.sum(-1, keepdims=True))", "(np.exp(-peak) + shares.sum(1, keepdims=True))", ALIGNMENT),
    ("weights[\"weight_gate\"].T + weights[\"bias_gate\"])\n    context", "weights[\"weight_gate\"].T)\n    context",
     CONTEXT),
    ("sigmoid(query @ weights[\"weight_gate\"].T", "sigmoid(query @ weights[\"weight_gate\"]", CONTEXT),
    ("context = gate * (mixed", "context = (1 - gate) * (mixed", CONTEXT),
    ("context = gate * (mixed", "context = (mixed", CONTEXT),
    ("    mixed = alignment @ values\n", "    assert query.dtype == np.float64\n    mixed = alignment @ values\n",
     {"float32"}),
    ("    mixed = alignment @ values\n", "    mixed = (alignment @ values).squeeze()\n", {"hand-case", "edge-shapes",
    "decoder-states"}),
    # decode
    ("last @ weights[\"weight_hh\"].T + weights[\"bias\"])", "last @ weights[\"weight_hh\"].T)", DECODE),
    ("last @ weights[\"weight_hh\"].T", "last @ weights[\"weight_hh\"]", DECODE),
    ("np.tanh(last + context @ weights", "np.tanh(context @ weights", DECODE),
    ("np.tanh(last + context @ weights[\"weight_context\"].T)", "last", DECODE),
    ("        s[:, t], y[:, t] = last,", "        last, s[:, t], y[:, t] = last + context, last,", DECODE),
    ("forward(last[:, None], keys", "forward(s0[:, None], keys", DECODE),
    # backward
    ("d_out = d_context * gate\n", "d_out = d_context\n", KEYS | QUERY | VALUES | WEIGHTS),
    ("* gate * (1 - gate)", "* (1 - gate)", QUERY | WEIGHTS),
    ("d_gate = d_context * (mixed @ W_o.T)", "d_gate = d_context", QUERY | WEIGHTS),
    ("d_values = alignment.mT @ d_mixed", "d_values = alignment.mT @ mixed", VALUES),
    ("d_values = alignment.mT @ d_mixed", "d_values = (alignment.mT > 0) @ d_mixed", VALUES),
    ("alignment * (d_alignment - (alignment * d_alignment).sum(-1, keepdims=True))", "alignment * d_alignment",
     KEYS | QUERY | WEIGHTS),
    ("(alignment * d_alignment).sum(-1, keepdims=True)", "(alignment * d_alignment).mean(-1, keepdims=True)",
     KEYS | QUERY | WEIGHTS),
    ("(alignment * d_alignment).sum(-1, keepdims=True)", "(alignment * d_alignment).sum(1, keepdims=True)",
     KEYS | QUERY | WEIGHTS),
    ("(alignment * d_alignment).sum(-1, keepdims=True)",
     "(alignment * d_alignment).sum(-1, keepdims=True) / alignment.sum(-1, keepdims=True)", KEYS | QUERY | WEIGHTS),
    ("d_alignment = d_mixed @ values.mT", "d_alignment = mixed @ values.mT", KEYS | QUERY | WEIGHTS),
    ("d_scores.mT @ (query @ A)", "d_scores.mT @ (query @ A.T)", KEYS),
    ("d_scores.mT @ (query @ A)", "d_scores.mT @ query", KEYS),
    ("d_asked @ A.T + d_gate @ W_g", "d_asked @ A.T", QUERY),
    ("d_asked @ A.T + d_gate @ W_g", "d_asked @ A + d_gate @ W_g", QUERY),
    ("d_asked @ A.T + d_gate @ W_g", "d_asked @ A.T + d_gate @ W_g.T", QUERY),
    ("np.einsum(\"bth,btk->hk\", query, d_asked)", "np.einsum(\"bth,btk->kh\", query, d_asked)", WEIGHTS),
    ("np.einsum(\"bth,btv->hv\", d_out, mixed)", "np.einsum(\"bth,btv->hv\", d_context, mixed)", WEIGHTS),
    ("np.einsum(\"bth,btk->hk\", d_gate, query)", "np.einsum(\"bth,btk->kh\", d_gate, query)", WEIGHTS),
    ("d_gate.sum((0, 1))", "d_gate[:, -1].sum(0)", WEIGHTS),
]
