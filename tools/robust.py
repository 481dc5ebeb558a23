"""Run every page under numerics that are not this machine's, and name what comes out otherwise.

    python tools/robust.py                            every environment; a stopped run goes on where it was
    python tools/robust.py "nudge 1" "ATen default"   these only
    python tools/robust.py --one                      the one whose turn it is this day: a new one each day
    python tools/robust.py --record                   and write book/_data/robust.json, which the page `status` shows
    python tools/robust.py --list                     their names

Another processor adds up in another order, so its last digits differ, and training makes that difference grow. Here the
libraries are held to older instruction sets by their documented variables, one at a time and together; or every weight
is multiplied by 1 + 1e-7 times a random number when it is drawn, and again when it is given to an optimiser; or the
pages run with another Python, where another torch is installed (`--python "torch 2.11=/path/to/python"`). A page passes
if no cell fails, no compared output differs, and no claim's verdict is another than the one stored in the page.
"""

import argparse
import ast
import concurrent.futures
import datetime
import hashlib
import json
import os
import sys

from notebook_form import ANSI, ROOT, NotebookError, chapter_of, page_name, pages, read
from notebook_kernel import execute
from notebooks import write
from origin import origin
from tqdm import tqdm

CLAIM_MIME = "application/vnd.unrolled.claim+json"
RECORD = ROOT / "book/_data/robust.json"
JOURNAL = ROOT / "_build/robust.jsonl"

NO_AVX512 = "X86_V4 AVX512_ICL AVX512_SPR"      # NumPy's names of what it has kernels for
ATEN_OLD, ATEN_AVX2 = {"ATEN_CPU_CAPABILITY": "default"}, {"ATEN_CPU_CAPABILITY": "avx2"}
ONEDNN_OLD, ONEDNN_AVX2 = {"ONEDNN_MAX_CPU_ISA": "SSE41"}, {"ONEDNN_MAX_CPU_ISA": "AVX2"}
MKL_OLD, MKL_AVX2 = {"MKL_CBWR": "COMPATIBLE"}, {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}
BLAS_OLD, BLAS_AVX2 = {"OPENBLAS_CORETYPE": "Nehalem"}, {"OPENBLAS_CORETYPE": "Haswell"}
NUMPY_OLD, NUMPY_AVX2 = {"NPY_DISABLE_CPU_FEATURES": f"{NO_AVX512} X86_V3"}, {"NPY_DISABLE_CPU_FEATURES": NO_AVX512}
NUDGES = 5
ENVIRONMENTS = {                                # variables of the kernel; a seed for nudges
    "as it is": {},
    "everything AVX2": ATEN_AVX2 | ONEDNN_AVX2 | MKL_AVX2 | BLAS_AVX2 | NUMPY_AVX2,
    "nudge 1": 1,
    "everything oldest": ATEN_OLD | ONEDNN_OLD | MKL_OLD | BLAS_OLD | NUMPY_OLD,
    "nudge 2": 2,
    "ATen default": ATEN_OLD,
    "nudge 3": 3,
    "oneDNN SSE4.1": ONEDNN_OLD,
    "nudge 4": 4,
    "MKL compatible": MKL_OLD,
    "nudge 5": 5,
    "OpenBLAS Nehalem": BLAS_OLD,
    "NumPy without AVX2": NUMPY_OLD,
    "ATen AVX2": ATEN_AVX2,
    "oneDNN AVX2": ONEDNN_AVX2,
    "OpenBLAS Haswell": BLAS_AVX2,
}
NUDGE = '''
def _nudge_weights(seed):
    import functools
    import torch
    generator = torch.Generator().manual_seed(seed)

    def nudge(tensor):
        """Multiply by 1 + 1e-7 ξ, out of sight of autograd and of the page's own random numbers."""
        if tensor.is_floating_point() and not tensor.is_meta and not torch._C._functorch.is_batchedtensor(tensor):
            noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
            with torch.no_grad():
                tensor.detach().mul_(1 + 1e-7 * noise)

    def after(method):
        @functools.wraps(method)
        def drawn(self, *arguments, **options):
            result = method(self, *arguments, **options)
            nudge(self)
            return result
        return drawn

    begin = torch.optim.Optimizer.__init__

    @functools.wraps(begin)
    def __init__(self, *arguments, **options):
        begin(self, *arguments, **options)
        for group in self.param_groups:
            for parameter in group["params"]:
                nudge(parameter)

    torch.optim.Optimizer.__init__ = __init__
    torch.Tensor.uniform_, torch.Tensor.normal_ = after(torch.Tensor.uniform_), after(torch.Tensor.normal_)

_nudge_weights({seed})
del _nudge_weights
'''


def follow(name, path, python=None):
    """Run one page in one environment.

    Args:
        name: of the environment.
        path: the notebook.
        python: an interpreter to run it with; this one if left out.

    Returns:
        A dict: `seconds`; `failed`, the cells that raise, each by its first line and its error; `differs`, the compared
        cells whose output is another; `flipped`, the claims whose verdict is another.
    """
    setting = ENVIRONMENTS.get(name, {})
    variables, before = ({}, NUDGE.replace("{seed}", str(setting))) if isinstance(setting, int) else (setting, "")
    stored, nb = read(path), read(path)
    try:
        cost = execute(nb, path.parent, before, env=variables, keep_going=True, python=python)
    except NotebookError as error:              # a cell that took too long, or killed the kernel
        return {"seconds": None, "failed": [str(error).splitlines()[0][:200]], "differs": [], "flipped": []}
    failed, differs = [], []
    for old, new in zip(stored.cells, nb.cells):
        if old.cell_type != "code":
            continue
        head = old.source.strip().splitlines()[0][:80] if old.source.strip() else ""
        errors = [output for output in new.outputs if output.output_type == "error"]
        failed += [f"{head}: {error.ename}: {ANSI.sub('', error.evalue)[:100]}" for error in errors]
        if not errors and "nbval-check-output" in old.metadata.get("tags", []) and texts(old) != texts(new):
            differs.append(head)
    before, after = verdicts(stored), verdicts(nb)
    flipped = [f"{key}: {before.get(key)} → {after.get(key, 'nothing')}"
               for key in sorted(before | after) if before.get(key) != after.get(key)]
    return {"seconds": round(cost["seconds"], 1), "failed": failed, "differs": differs, "flipped": flipped}


def texts(cell):
    """What nbval compares of a cell: its printed text, and the plain text of what it shows."""
    stream = "".join(output.text for output in cell.outputs if output.output_type == "stream")
    return [stream, *(output.data.get("text/plain") for output in cell.outputs if "data" in output)]


def verdicts(nb):
    """The verdicts of a notebook, by claim."""
    bundles = [output.data[CLAIM_MIME] for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs
               if CLAIM_MIME in output.get("data", {})]
    return {bundle["key"]: bundle["verdict"] for bundle in bundles}


def fingerprint(path):
    """What a result depends on: the page's code, however it is laid out, what it printed, and the package."""
    cells = [cell for cell in read(path).cells if cell.cell_type == "code"]
    code = [[_tree(cell.source), cell.metadata.get("tags", []), cell.outputs] for cell in cells]
    digest = hashlib.sha256(json.dumps(code, sort_keys=True).encode())
    for source in sorted((ROOT / "src").rglob("*")):
        if source.is_file() and "__pycache__" not in source.parts:
            digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _tree(source):
    """The code without its lines and comments; a cell with a magic as it stands."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def journal():
    """The rows that an earlier run has kept, by environment, page and fingerprint; a torn last line is passed over."""
    kept = {}
    for line in JOURNAL.read_text(encoding="utf-8").splitlines() if JOURNAL.exists() else ():
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            continue
        kept[entry["row"]["environment"], entry["row"]["page"], entry["of"]] = entry["row"]
    return kept


def run(names, paths, pythons, workers):
    """The rows of these environments and pages: kept ones, and the others run now, one process a core."""
    kept, prints = journal(), {path: fingerprint(path) for path in paths}
    wanted = [(name, path) for name in names for path in paths]
    held = {name: hashlib.sha256(repr(ENVIRONMENTS.get(name)).encode()).hexdigest()[:8] for name in names}
    keys = {(name, path): (name, page_name(path), f"{prints[path]}-{held[name]}") for name, path in wanted}
    rows = {one: kept[keys[one]] for one in wanted if keys[one] in kept}
    JOURNAL.parent.mkdir(exist_ok=True)
    with concurrent.futures.ProcessPoolExecutor(workers) as pool, JOURNAL.open("a", encoding="utf-8") as file, \
            tqdm(total=len(wanted), initial=len(rows), unit="page", smoothing=0) as progress:
        futures = {pool.submit(follow, name, path, pythons.get(name)): (name, path)
                   for name, path in wanted if (name, path) not in rows}
        for future in concurrent.futures.as_completed(futures):
            name, path = futures[future]
            rows[name, path] = row = {"environment": name, "page": page_name(path)} | future.result()
            entry = {"of": keys[name, path][2], "row": row}
            file.write("\n" * (file.tell() > 0) + json.dumps(entry, ensure_ascii=False))
            file.flush()
            for what in ("failed", "differs", "flipped"):
                for detail in row[what]:
                    progress.write(f"{name}, {row['page']}: {what}: {detail}")
            progress.update()
    return [rows[one] for one in wanted]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("environments", nargs="*", metavar="ENVIRONMENT")
    parser.add_argument("--one", action="store_true", help="the environment whose turn it is today")
    parser.add_argument("--list", action="store_true", help="name the environments")
    parser.add_argument("--record", action="store_true", help=f"write {RECORD.relative_to(ROOT)}")
    parser.add_argument("--python", action="append", default=[], metavar="NAME=PATH",
                        help="one more environment: the pages run with this interpreter")
    parser.add_argument("--pages", nargs="+", default=[], metavar="NAME", help="these pages or chapters only")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes at a time (one a core)")
    options = parser.parse_args(arguments)
    pythons = dict(pair.split("=", 1) for pair in options.python)
    known = [*ENVIRONMENTS, *pythons]
    if options.list:
        print(*known, sep="\n")
        return 0
    if unknown := set(options.environments) - set(known):
        parser.error(f"there is no environment {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    names = options.environments or known
    if options.one:
        names = [list(ENVIRONMENTS)[datetime.date.today().toordinal() % len(ENVIRONMENTS)]]
        print(f"Today's environment: {names[0]}")
    known = {path: {page_name(path), chapter_of(path)} for path in pages()}
    if unknown := set(options.pages).difference(*known.values()):
        parser.error(f"there is no page or chapter {', '.join(sorted(unknown))}")
    paths = [path for path in known if not options.pages or known[path] & set(options.pages)]
    if options.record and (options.pages or len(names) < 10):
        parser.error("--record is for all pages and at least ten environments")
    rows = run(names, paths, pythons, max(1, options.workers))
    faults = sum(len(row[what]) for row in rows for what in ("failed", "differs", "flipped"))
    print(f"\n{len(names)} environments, {len(paths)} pages: {faults} cells or verdicts come out otherwise.")
    if options.record:
        record = origin("torch", "numpy", root=ROOT, paths=("src", "book/*.ipynb"))
        write(RECORD, json.dumps(record | {"rows": rows}, indent=1, ensure_ascii=False) + "\n")
        print(f"Recorded in {RECORD.relative_to(ROOT)}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
