"""What can be read off a hidden state by a straight line: least squares from states to anything known of the text.

Source: Alain & Bengio 2016, linear classifier probes. The network is left as it is; only the read-out is fitted.
"""

import numpy as np

from unrolled import checks
from unrolled.numpy.stack import plain


def linear_probe(features, targets, train, ridge=1e-6):
    """Fit targets = features · A + b on the first rows and predict the others.

    Args:
        features: states or anything else, one row a step, (N, F).
        targets: what is to be read, (N, K); for a class, its one-hot code, and the largest prediction wins.
        train: how many rows are fitted; the rest is predicted, so nothing is scored on what it was fitted to.
        ridge: penalty, as a fraction of the features' mean square.

    Returns:
        Predictions for rows `train` and later, (N - train, K).

    Raises:
        ValueError: not two-dimensional, of different lengths, not finite, or nothing left to fit or predict.
    """
    features, targets = (plain(name, value).astype(np.float64) for name, value in
                         (("features", features), ("targets", targets)))
    checks.shape("features", features, ("N", "F"))
    checks.shape("targets", targets, (len(features), "K"))
    if not 0 < train < len(features):
        raise ValueError(f"train must lie between 1 and {len(features) - 1}, got {train}")
    if not (np.isfinite(features).all() and np.isfinite(targets).all()):
        raise ValueError("features and targets must be finite")
    features = np.column_stack([features, np.ones(len(features))])
    fitted = features[:train]
    gram = fitted.T @ fitted
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, fitted.T @ targets[:train])
    return features[train:] @ weights


def named_back(features, characters, lags, train, alphabet):
    """How often a linear probe names the character that was read k steps ago, for each k.

    Args:
        features: states or anything else of each step, (texts, T, F).
        characters: what was read, as indices, (texts, T).
        lags: the numbers k, in rising order.
        train: how many texts are fitted; the others are scored.
        alphabet: how many characters there are.

    Returns:
        The share of the scored steps at which the character is named, (lags,).
    """
    features, characters = plain("features", features), plain("characters", characters)
    checks.shape("features", features, ("texts", "T", "F"))
    checks.shape("characters", characters, features.shape[:2])
    texts, length = characters.shape
    if not 0 < train < texts:
        raise ValueError(f"train must lie between 1 and {texts - 1}, got {train}")
    steps = np.arange(max(lags), length)                        # so that every lag exists
    past = np.stack([characters[:, steps - k] for k in lags], -1).reshape(texts * len(steps), -1)     # (N, lags)
    answers = linear_probe(features[:, steps].reshape(len(past), -1),
                           np.eye(alphabet)[past].reshape(len(past), -1), train * len(steps))
    named = answers.reshape(len(answers), len(lags), alphabet).argmax(-1)
    return (named == past[train * len(steps) :]).mean(0)
