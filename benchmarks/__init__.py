"""Timing: one thread for every library, said here because it must be said before any of them is loaded.

OpenBLAS (NumPy's) and OpenMP (torch's) would fight over the cores: the waiting threads of one spin while the other
works, and a time would tell more of the fight than of the code.
"""

import os

for library in ("OMP", "OPENBLAS", "MKL", "VECLIB_MAXIMUM", "NUMEXPR"):
    os.environ[f"{library}_NUM_THREADS"] = "1"
