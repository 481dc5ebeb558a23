"""Bugs in the practice solution of `gru`: (old text, new text, rows that may be lost)."""

STATES = {"hand-case", "forward-random", "edge-shapes", "stability", "float32"}
RESET = STATES | {"reset-gate", "candidate"}
UPDATE = STATES | {"update-gate", "carried-state"}
CANDIDATE = STATES | {"candidate"}
GATES = RESET | UPDATE
INPUTS, FIRST, W, U, BIASES = ({f"backward-{name}"} for name in (
    "inputs", "state", "input-weights", "recurrent-weights", "biases"))
ALL = INPUTS | FIRST | W | U | BIASES

MUTANTS = [
    # forward
    ("    W_z, W_r, W_n = np.split(weights[\"weight_ih\"], 3)\n"
     "    U_z, U_r, U_n = np.split(weights[\"weight_hh\"], 3)\n    b_z", "    W_r, W_z, W_n = "
                                                                         "np.split(weights[\"weight_ih\"], 3)\n"
     "    U_r, U_z, U_n = np.split(weights[\"weight_hh\"], 3)\n    b_z", GATES | CANDIDATE),
    ("b_z, b_r, b_n = np.split(weights[\"bias_ih\"]",
     "b_r, b_z, b_n = np.split(weights[\"bias_ih\"]", GATES | CANDIDATE),
    ("weights[\"bias_ih\"] + weights[\"bias_hh\"], 3)", "weights[\"bias_ih\"], 3)", GATES | CANDIDATE),
    ("weights[\"bias_ih\"] + weights[\"bias_hh\"], 3)", "weights[\"bias_ih\"] * 0, 3)", GATES | CANDIDATE),
    ("last @ U_r.T", "last @ U_r", RESET),
    ("last @ U_z.T", "last @ U_z", UPDATE),
    ("(r[t] * last) @ U_n.T", "r[t] * (last @ U_n.T)", CANDIDATE),
    ("(r[t] * last) @ U_n.T", "last @ U_n.T", CANDIDATE),
    ("n[t] = a / (1 + np.abs(a))", "n[t] = np.tanh(a)", CANDIDATE),
    ("n[t] = a / (1 + np.abs(a))", "n[t] = np.expm1(2 * a) / (np.expm1(2 * a) + 2)", CANDIDATE),
    ("(1 - z[t]) * last + z[t] * n[t]", "z[t] * last + (1 - z[t]) * n[t]", UPDATE),
    ("h[t] = (1 - z[t]) * last", "h[t] = (1 + z[t]) * last", UPDATE),
    ("        last = h[t]\n", "", STATES | {"carried-state"}),
    ("    last = h0\n", "    last = 0 * h0\n", GATES | CANDIDATE),
    ("0.5 * np.tanh(0.5 * a) + 0.5 ", "0.5 * np.tanh(a) + 0.5 ", GATES | CANDIDATE),
    ("0.5 * np.tanh(0.5 * a) + 0.5 ", "np.exp(a) / (1 + np.exp(a)) ", {"stability", "carried-state"}),
    ("for _ in range(4))", "for _ in range(4))\n    assert x.dtype == np.float64", {"float32"}),
    ("    T, B, _ = x.shape\n", "    B, T, _ = x.shape\n", GATES | CANDIDATE),
    ("    last = h0\n", "    last = h0.squeeze()\n", {"edge-shapes", "hand-case"}),
    # backward
    ("d_state = d_state + d_h[t]\n", "d_state = d_state + d_h[-1]\n", ALL),
    ("d_state = d_state + d_h[t]\n", "d_state = d_h[t]\n", ALL),
    ("for t in reversed(range(len(x))):", "for t in range(len(x)):", ALL),
    ("d_z = d_state * (n[t] - before[t])", "d_z = d_state * (before[t] - n[t])", ALL),
    ("d_n = d_state * z[t]", "d_n = d_state * (1 - z[t])", ALL),
    ("(1 - np.abs(n[t])) ** 2  ", "(1 - n[t] ** 2)  ", ALL),
    ("d_past = d_an @ U_n", "d_past = d_an @ U_n.T", ALL),
    ("d_r = d_past * before[t]", "d_r = d_past * cache[\"h\"][t]", ALL),
    ("d_az = d_z * z[t] * (1 - z[t])", "d_az = d_z * z[t]", ALL),
    ("d_ar = d_r * r[t] * (1 - r[t])", "d_ar = d_r * (1 - r[t])", ALL),
    ("d_az @ W_z + d_ar @ W_r", "d_az @ W_r + d_ar @ W_z", INPUTS),
    ("+ d_an @ W_n\n", "\n", INPUTS),
    ("d_an.T @ x[t]])", "d_an.T @ x[t - 1]])", W),
    ("d_W += ", "d_W = ", W),
    ("[d_az.T @ x[t], d_ar.T @ x[t],", "[d_ar.T @ x[t], d_az.T @ x[t],", W),
    ("d_an.T @ past[t]])", "d_an.T @ before[t]])", U),
    ("d_U += ", "d_U = ", U),
    ("d_b += ", "d_b = ", BIASES),
    ("d_an.sum(0)])", "d_an.mean(0)])", BIASES),
    ("d_state = (1 - z[t]) * d_state + d_past * r[t]", "d_state = d_past * r[t]", ALL),
    ("+ d_past * r[t] +", "+ d_past +", ALL),
    ("+ d_az @ U_z + d_ar @ U_r", "+ d_az @ U_z", ALL),
    ("\"d_h0\": d_state,", "\"d_h0\": d_state + d_h[0],", FIRST),
]
