"""Models that read Python source, character by character, and can be asked to write on; no study of its own.

    model, losses = train(seed=0)                                       an LSTM, 1 second
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
    """Logits of the next character at every step.

    Args:
        embed: an `nn.Embedding`, a vector for each character.
        layer: called like a recurrent layer of `torch.nn`: steps and a state to outputs and a state.
        readout: an `nn.Linear` from an output to K logits.
    """

    def __init__(self, embed, layer, readout):
        super().__init__()
        self.embed, self.layer, self.readout = embed, layer, readout

    def forward(self, characters, state=None):
        """Read characters, (T, B), from a state or from none; logits, (T, B, K), and the state after the last."""
        states, state = self.layer(self.embed(characters), state)           # (T, B, H)
        return self.readout(states), state                                  # (T, B, K)


def places(train, seed, readers, steps, spare=0):
    """Each reader's stretch of the training text, (steps + 1, readers).

    Args:
        train: the text as indices, (characters,).
        seed: of the place where the readers start.
        readers: how many read side by side.
        steps: how many characters each of them predicts.
        spare: how many last characters of each reader's part no stretch reaches.

    Raises:
        ValueError: a text that is too short for so many readers.
    """
    columns = train[: len(train) // readers * readers].reshape(readers, -1).T
    if len(columns) <= steps + spare:
        raise ValueError(f"expected more than {readers} × {steps + spare} characters, got {len(train)}")
    start = np.random.default_rng(seed).integers(len(columns) - steps - spare)
    return columns[start : start + steps + 1]


def read_on(model, stretch, chunk, learning_rate=0.01, pause=None):
    """Train a character model on one stretch of the text for each reader; no character is read twice.

    Args:
        model: a `CharacterModel`.
        stretch: what the readers read, (steps + 1, B).
        chunk: characters that each of them reads an update, T; it divides the steps.
        learning_rate: Adam's, before the first update.
        pause: called with the number of the update and the model before each update, or None.

    Returns:
        The loss before each update.
    """
    state = None

    def loss(t):
        nonlocal state
        if pause:
            pause(t // chunk, model)
        logits, state = model(stretch[t : t + chunk], state)    # what was read so far, right or wrong
        state = detach(state)                                   # carry the state on, not the gradient
        following = stretch[t + 1 : t + chunk + 1]              # what really came next
        return F.cross_entropy(logits.flatten(0, 1), following.flatten())

    return fit(model, loss, range(0, len(stretch) - 1, chunk), learning_rate, decay=True)


def untrained(seed, hidden_size=64):
    """An LSTM that reads characters, before its first update."""
    seed_everything(seed)
    layer = unrolled.cudnn.LSTM(24, hidden_size)
    return CharacterModel(nn.Embedding(len(ALPHABET), 24), layer, nn.Linear(hidden_size, len(ALPHABET)))


def train(seed, hidden_size=64, readers=16, chunk=32, updates=300, learning_rate=0.01, pause=None):
    """Train that LSTM.

    Args:
        seed: of the weights and of the place where the readers start.
        hidden_size: the width of the layer, H.
        readers: how many read side by side, B.
        updates: how many.
        chunk, learning_rate, pause: as for `read_on`.

    Returns:
        The model, and the loss before each update.
    """
    checks.positive_int("updates", updates)
    model, text = untrained(seed, hidden_size), torch.from_numpy(encode(load_source_code().train))
    return model, read_on(model, places(text, seed, readers, updates * chunk), chunk, learning_rate, pause)


@torch.no_grad()
def write(model, prompt, length, seed=0, temperature=0.7):
    """Let a network read a prompt and write on, each character drawn from its own prediction.

    Args:
        model: a `CharacterModel`, or what is called like one.
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
        logits, state = model(characters, state)                # the state holds what came before
        p = F.softmax(logits[-1] / temperature, dim=-1)         # (1, K)
        characters = torch.multinomial(p, 1, generator=generator)           # (1, 1), read at the next step
        written.append(characters.item())
    return prompt + decode(np.array(written))
