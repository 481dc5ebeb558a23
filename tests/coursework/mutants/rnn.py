"""Bugs in the practice solution of `rnn`: (old text, new text, rows that may be lost)."""

STATES = {"hand-case", "forward-random", "readout", "edge-shapes", "second-half", "stability", "float32"}
NORMALISED = STATES | {"normalised"}
PRE = NORMALISED | {"pre-activation"}
READOUT = {"hand-case", "readout", "edge-shapes", "second-half", "float32"}
INPUTS, FIRST, W, U, BIASES, OUT = ({f"backward-{name}"} for name in (
    "inputs", "state", "input-weights", "recurrent-weights", "biases", "readout"))
ALL = INPUTS | FIRST | W | U | BIASES

MUTANTS = [
    # forward
    ("(x[t] @ W.T) * (states[t] @ U.T) + b", "(x[t] @ W.T) + (states[t] @ U.T) + b", PRE),
    ("(x[t] @ W.T) * (states[t] @ U.T) + b", "(x[t] @ W.T + b) * (states[t] @ U.T)", PRE),
    ("(x[t] @ W.T) * (states[t] @ U.T) + b", "(x[t] @ W.T) * (states[t] @ U.T)", PRE),
    ("(x[t] @ W.T) * (states[t] @ U.T) + b", "(x[t] @ W.T) * (states[t] @ U) + b", PRE),
    ("(x[t] @ W.T) * (states[t] @ U.T) + b", "(x[t] @ W.T) * (states[0] @ U.T) + b", STATES),
    ("u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)",
     "u[t] = a[t] / np.sqrt((a[t] ** 2).sum(1, keepdims=True) + 1e-5)", NORMALISED),
    ("u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)",
     "u[t] = a[t] / np.sqrt((a[t] ** 2).mean() + 1e-5)", NORMALISED),
    ("u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)",
     "u[t] = a[t] / np.sqrt((a[t] ** 2).mean(0, keepdims=True) + 1e-5)", NORMALISED),
    ("u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)",
     "u[t] = a[t] / np.sqrt(a[t].var(1, keepdims=True) + 1e-5)", NORMALISED),
    ("u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)", "u[t] = a[t]", NORMALISED),
    ("u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-5)",
     "u[t] = a[t] / np.sqrt((a[t] ** 2).mean(1, keepdims=True) + 1e-1)", NORMALISED),
    ("np.arctan(u[t])", "np.tanh(u[t])", STATES),
    ("0.7 * states[t] + 0.3 * s[t]", "0.3 * states[t] + 0.7 * s[t]", STATES),
    ("0.7 * states[t] + 0.3 * s[t]", "s[t]", STATES),
    ("states[0] = h0", "states[0] = 0", PRE),
    ("    states[0] = h0\n", "    states[0] = h0\n    x = np.clip(x, -100, 100)\n", {"stability"}),
    ("    states[0] = h0\n", "    states[0] = h0\n    assert T > 1\n",
     {"edge-shapes", "pre-activation", "normalised"}),
    ("    states[0] = h0\n", "    states[0] = h0\n    assert x.dtype == np.float64\n", {"float32"}),
    ("(states[1:] - states[:-1]) @", "states[1:] @", READOUT),
    ("(states[1:] - states[:-1]) @", "(states[:-1] - states[1:]) @", READOUT),
    (" + weights[\"bias_out\"]\n", "\n", READOUT),
    ("{\"h\": states[1:],", "{\"h\": states[:-1],", STATES - {"readout"}),
    ("{\"h\": states[1:],", "{\"h\": states,", STATES - {"readout"}),
    # backward
    ("d_state = d_state + d_h[t] + d_y[t] @ V", "d_state = d_state + d_h[t]", ALL),
    ("d_state = d_state + d_h[t] + d_y[t] @ V", "d_state = d_state + d_y[t] @ V", ALL),
    ("d_state = d_state + d_h[t] + d_y[t] @ V", "d_state = d_h[t] + d_y[t] @ V", ALL),
    ("d_u = 0.3 * d_state / (1 + u[t] ** 2)", "d_u = d_state / (1 + u[t] ** 2)", ALL),
    ("d_u = 0.3 * d_state / (1 + u[t] ** 2)", "d_u = 0.3 * d_state * (1 - cache[\"s\"][t] ** 2)", ALL),
    ("d_u = 0.3 * d_state / (1 + u[t] ** 2)", "d_u = 0.3 * d_state / (1 + a[t] ** 2)", ALL),
    ("d_a = (d_u - u[t] * (u[t] * d_u).mean(1, keepdims=True)) / rms", "d_a = d_u / rms", ALL),
    ("(u[t] * d_u).mean(1, keepdims=True)", "(u[t] * d_u).sum(1, keepdims=True)", ALL),
    ("(u[t] * d_u).mean(1, keepdims=True)", "(u[t] * d_u).mean()", ALL),
    ("keepdims=True)) / rms", "keepdims=True))", ALL),
    ("d_drive = d_a * (states[t] @ U.T)", "d_drive = d_a", INPUTS | W),
    ("d_drive = d_a * (states[t] @ U.T)", "d_drive = d_a * (states[t + 1] @ U.T)", INPUTS | W),
    ("d_recurrent = d_a * (x[t] @ W.T)", "d_recurrent = d_a", ALL),
    ("d_x[t] = d_drive @ W", "d_x[t] = d_a @ W", INPUTS),
    ("d_W += ", "d_W = ", W),
    ("d_U += d_recurrent.T @ states[t]", "d_U += d_recurrent.T @ states[t + 1]", U),
    ("d_b += d_a.sum(0)", "d_b += d_recurrent.sum(0)", BIASES),
    ("d_state = 0.7 * d_state + d_recurrent", "d_state = d_recurrent", ALL),
    ("d_recurrent @ U - d_y[t] @ V", "d_recurrent @ U", ALL),
    ("d_recurrent @ U - d_y[t] @ V", "d_recurrent @ U.T - d_y[t] @ V", ALL),
    ("d_y, changes)", "d_y, states[1:])", OUT),
    ("d_y.sum((0, 1))", "d_y.mean((0, 1))", OUT),
]
