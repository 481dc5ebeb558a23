"""Run the book's notebooks, several at a time, before Sphinx reads a page; and tell the directives what they found.

MyST-NB looks each notebook up in a cache and runs it, one after the other, if it is not there. Here those that are
missing are run beforehand by the same function, into the same cache.
"""

import os
import re
from multiprocessing.pool import ThreadPool
from pathlib import Path

import nbformat
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from sphinx.errors import SphinxError
from tqdm import tqdm

SUMMARY = re.compile(r"book/(claims|handbook|status|(.+/)?index)")      # a page that shows what the notebooks found
MOST = 8                                                        # kernels at a time: each may take a GiB


class PageFailed(SphinxError):
    category = "A notebook did not run to its end"


def notebooks(env):
    """The path of every notebook of the table of contents, by the page's name: `rnn`, `rnn/order`."""
    paths = {name: Path(env.doc2path(name)) for name in sorted(env.found_docs) if name.startswith("book/")}
    return {name.removeprefix("book/"): path for name, path in paths.items() if path.suffix == ".ipynb"}


def executed(app, path):
    """A notebook as this build executed it, and the seconds that this took, None where the build executes nothing."""
    nb = nbformat.read(path, as_version=4)
    if app.env.mystnb_config.execution_mode != "cache":
        return nb, None
    try:
        cache = get_cache(app.env.mystnb_config.execution_cache_path)
        record = cache.match_cache_notebook(nb)
        return cache.get_cache_bundle(record.pk).nb, record.data.get("execution_seconds")
    except KeyError as error:
        raise ValueError(f"{path.relative_to(app.srcdir)} was not executed by this build") from error


def execute(app, env, docnames):
    """Run what the cache lacks, and have the pages read again that show what the notebooks found."""
    config = env.mystnb_config
    if config.execution_mode == "cache":
        cache = get_cache(config.execution_cache_path)
        missing = {}
        for name, path in notebooks(env).items():
            nb = nbformat.read(path, as_version=4)
            try:
                cache.match_cache_notebook(nb)
            except KeyError:
                missing[name] = path, nb
        if missing:
            run(cache, missing, config)
        docnames += [f"book/{name}" for name in missing if f"book/{name}" not in docnames]
    if any(env.doc2path(name).endswith(".ipynb") for name in docnames):
        docnames += [name for name in sorted(env.found_docs) if SUMMARY.fullmatch(name) and name not in docnames]


def run(cache, missing, config):
    """Run notebooks, one a core, and cache those that reach their end.

    Args:
        cache: where MyST-NB looks.
        missing: pairs of a path and its notebook, by the page's name.
        config: MyST-NB's own.

    Raises:
        PageFailed: some did not reach their end; the message holds the traceback of each.
    """
    def work(name):
        path, nb = missing[name]
        try:
            result = single_nb_execution(nb, str(path.parent), config.execution_timeout, config.execution_allow_errors)
        except RuntimeError as error:                           # the kernel died, or did not start
            return name, None, str(error)
        return name, result, result.exc_string

    failed = []
    with ThreadPool(min(os.cpu_count(), MOST)) as pool, tqdm(total=len(missing), unit="page") as progress:
        for name, result, error in pool.imap_unordered(work, missing):
            if error:
                failed.append(f"{name}: {error}")
            else:
                bundle = CacheBundleIn(result.nb, str(missing[name][0]), data={"execution_seconds": result.time})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            progress.write(f"{name}: failed" if error else f"{name}: {result.time:.1f} s")
            progress.update()
    if failed:
        raise PageFailed("\n\n".join(failed))


def setup(app):
    app.connect("env-before-read-docs", execute)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
