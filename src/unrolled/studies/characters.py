"""An LSTM that reads Python source, character by character, and can be asked to write on.

    model, losses = train(seed=0)                                       1 second
    print(write(model, "def ", length=200, seed=0))

Readers start at places of the training text and read on, a piece of text an update, carrying their state; the gradient
stops where a piece begins. Adam with a rate that falls linearly to zero, gradients clipped to norm 1.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import unrolled.cudnn
from unrolled import checks
from unrolled.data import load_source_code
from unrolled.data.source_code import ALPHABET, decode, encode
from unrolled.instruments.gradients import detach
from unrolled.training import fit, seed_everything


class CharacterModel(nn.Module):
    """Logits of the next character; `layer` reads, from a table of vectors, one a character."""

    def __init__(self, layer):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), layer.input_size)
        self.layer = layer
        self.readout = nn.Linear(layer.hidden_size, len(ALPHABET))

    def forward(self, characters, state=None):                  # (T, B)
        states, state = self.layer(self.embed(characters), state)
        return self.readout(states), state                      # (T, B, K), (h_n, c_n)


def places(train, seed, readers, steps):
    """Each reader's stretch of the training text, (steps + 1, readers).

    Args:
        train: the text as indices, (characters,).
        seed: of the place where the readers start.
        readers: how many read side by side.
        steps: how many characters each of them predicts.

    Raises:
        ValueError: a text that is too short for so many readers.
    """
    columns = train[: len(train) // readers * readers].reshape(readers, -1).T
    if len(columns) <= steps:
        raise ValueError(f"expected more than {readers} × {steps} characters, got {len(train)}")
    start = np.random.default_rng(seed).integers(len(columns) - steps)
    return columns[start : start + steps + 1]


def untrained(seed, hidden_size=64):
    """The network before its first update."""
    seed_everything(seed)
    return CharacterModel(unrolled.cudnn.LSTM(24, hidden_size))


def train(seed, hidden_size=64, readers=16, chunk=32, updates=300, learning_rate=0.01, pause=None):
    """Train a network on one stretch of the text for each reader; no character is read twice.

    Args:
        seed: of the weights and of the place where the readers start.
        hidden_size: the width of the layer, H.
        readers: how many read side by side, B.
        chunk: characters that each of them reads an update, T.
        updates: how many.
        learning_rate: Adam's, before the first update.
        pause: called with the number of the update and the model before each update, or None.

    Returns:
        The model, and the loss before each update.
    """
    checks.positive_int("updates", updates)
    model = untrained(seed, hidden_size)
    text = torch.from_numpy(encode(load_source_code().train))
    characters, state = places(text, seed, readers, updates * chunk), None

    def loss(t):
        nonlocal state
        if pause:
            pause(t // chunk, model)
        logits, state = model(characters[t : t + chunk], state)
        state = detach(state)                                   # its value goes on, the gradient stops
        following = characters[t + 1 : t + chunk + 1]
        return F.cross_entropy(logits.flatten(0, 1), following.flatten())

    return model, fit(model, loss, range(0, updates * chunk, chunk), learning_rate, decay=True)


@torch.no_grad()
def write(model, prompt, length, seed, temperature=0.7):
    """Let a network read a prompt and write on, each character drawn from its own prediction.

    Args:
        model: a `CharacterModel`.
        prompt: what it reads first.
        length: how many characters it writes.
        seed: of the draws.
        temperature: the logits are divided by it; smaller is more cautious.

    Returns:
        The prompt and what was written.
    """
    generator = torch.Generator().manual_seed(seed)
    characters, state, written = torch.from_numpy(encode(prompt))[:, None], None, []
    for _ in range(length):
        logits, state = model(characters, state)
        p = F.softmax(logits[-1] / temperature, dim=-1)         # (1, K)
        characters = torch.multinomial(p, 1, generator=generator)           # (1, 1), read at the next step
        written.append(characters.item())
    return prompt + decode(np.array(written))
