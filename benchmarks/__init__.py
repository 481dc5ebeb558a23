"""Timing: one thread for every library, said here because it must be said before any of them is loaded.

OpenBLAS (NumPy's) and OpenMP (torch's) would fight over the cores: the waiting threads of one spin while the other
works, and a time would tell more of the fight than of the code.
"""

import os
from pathlib import Path

for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR"):
    os.environ[f"{library}_NUM_THREADS"] = "1"

# What `torch.compile` makes stays among what is built, and is made by this process, on this core.
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(__file__).resolve().parents[1] / "_build/bench/compiled")
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
