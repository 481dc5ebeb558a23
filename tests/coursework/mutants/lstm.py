"""Bugs in the practice solution of `lstm`: (old text, new text, rows that may be lost)."""

STATES = {"hand-case", "forward-cell", "forward-random", "edge-shapes", "stability", "float32"}
GATES = STATES | {"gates"}
CARRIED = {"carried-cell"}
CANDIDATE = STATES | {"candidate"}
OUTPUT = GATES - {"forward-cell"}
INPUTS, FIRST, W, U, BIASES = ({f"backward-{name}"} for name in (
    "inputs", "states", "input-weights", "recurrent-weights", "biases"))
ALL = INPUTS | FIRST | W | U | BIASES

MUTANTS = [
    # forward
    ("b_o, b_f, b_g = ", "b_f, b_o, b_g = ", GATES | CARRIED),
    ("    p_o, p_f = weights[\"weight_peephole\"]\n    h, c", "    p_f, p_o = weights[\"weight_peephole\"]\n    h, c",
     GATES),
    ("+ p_f * c_last)", ")", GATES),
    ("+ p_o * c_last)", ")", GATES),
    ("+ p_o * c_last)", "+ p_o * c[t - 1])", GATES),
    ("h_last @ U_f.T", "h_last @ U_f", GATES),
    ("h_last @ U_o.T", "h_last @ U_o", GATES),
    ("h_last @ U_g.T", "h_last @ U_g", CANDIDATE),
    ("U_g.T + b_g", "U_g.T", CANDIDATE),
    ("g[t] = a / (1 + np.abs(a))", "g[t] = np.tanh(a)", CANDIDATE),
    ("g[t] = a / (1 + np.abs(a))", "g[t] = a / (1 + a)", CANDIDATE),
    ("g[t] = a / (1 + np.abs(a))", "g[t] = sigmoid(a)", CANDIDATE),
    ("f[t] * c_last + (1 - f[t]) * g[t]", "(1 - f[t]) * c_last + f[t] * g[t]", STATES | CARRIED),
    ("f[t] * c_last + (1 - f[t]) * g[t]", "f[t] * c_last + g[t]", STATES | CARRIED),
    ("h[t] = o[t] * c[t]", "h[t] = o[t] * np.tanh(c[t])", STATES),
    ("h[t] = o[t] * c[t]", "h[t] = o[t] * c_last", STATES),
    ("h_last, c_last = h[t], c[t]\n", "c_last = c[t]\n", STATES),
    ("h_last, c_last = h[t], c[t]\n", "h_last = h[t]\n", STATES | CARRIED),
    ("h_last, c_last = h0, c0", "h_last, c_last = c0, h0", GATES | CANDIDATE | CARRIED),
    ("h_last, c_last = h0, c0", "h_last, c_last = h0, 0 * c0", GATES | CARRIED),
    ("\"i\": 1 - f,", "\"i\": f,", {"gates"}),
    ("0.5 * np.tanh(0.5 * a) + 0.5 ", "np.exp(a) / (1 + np.exp(a)) ", {"stability"}),
    ("for _ in range(5))", "for _ in range(5))\n    assert x.dtype == np.float64", {"float32"}),
    # backward
    ("d_state = d_state + d_h[t]\n", "d_state = d_h[t]\n", ALL),
    ("d_state = d_state + d_h[t]\n", "d_state = d_state + d_h[-1]\n", ALL),
    (", d_c_last    ", ", 0 * d_c_last", ALL),
    ("d_cell = d_cell + d_state * o[t]", "d_cell = d_state * o[t]", ALL),
    ("d_cell = d_cell + d_state * o[t]", "d_cell = d_cell + d_state * o[t] * (1 - c[t] ** 2)", ALL),
    ("d_ao = d_state * c[t]", "d_ao = d_state * np.tanh(c[t])", ALL),
    ("(c_before[t] - g[t])", "c_before[t]", ALL),
    ("(c_before[t] - g[t])", "(c_before[t] + g[t])", ALL),
    ("(c_before[t] - g[t]) * f[t] * (1 - f[t]) ", "(c_before[t] - g[t]) * f[t] ", ALL),
    ("(1 - np.abs(g[t])) ** 2 ", "(1 - g[t] ** 2) ", ALL),
    ("d_ag = d_cell * (1 - f[t])", "d_ag = d_cell * f[t]", ALL),
    ("d_x[t] = d_ao @ W_o + d_af @ W_f", "d_x[t] = d_ao @ W_f + d_af @ W_o", INPUTS),
    ("np.concatenate([d_ao, d_af, d_ag], axis=1)", "np.concatenate([d_af, d_ao, d_ag], axis=1)", W | U | BIASES),
    ("d_W += d_a.T @ x[t]", "d_W += d_a.T @ x[t - 1]", W),
    ("d_U += d_a.T @ h_before[t]", "d_U += d_a.T @ cache[\"h\"][t]", U),
    ("d_b += d_a.sum(0)", "d_b += d_a.mean(0)", BIASES),
    ("d_p += np.stack([(d_ao * c_before[t])", "d_p += np.stack([(d_ao * c[t])", BIASES),
    ("+ p_o * d_ao + p_f * d_af", "+ p_f * d_af", ALL),
    ("+ p_o * d_ao + p_f * d_af", "", ALL),
    ("d_cell = d_cell * f[t] + ", "d_cell = d_cell + ", ALL),
    ("d_ao @ U_o + d_af @ U_f", "d_ao @ U_f + d_af @ U_o", ALL),
    ("\"d_c0\": d_cell,", "\"d_c0\": d_cell * f[0],", FIRST),
]
