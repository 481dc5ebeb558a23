"""What a chapter puts on its page: source code, a table with links, a row of the ledger, the numbers of a figure.

In a notebook both appear as formatted output; in a terminal they are printed. IPython is therefore never
required: if nothing has imported it, there is no notebook to display in.
"""

import ast
import html
import inspect
import json
import re
import sys
import textwrap

CLAIM_MIME = "application/vnd.unrolled.claim+json"
TOUCH_MIME = "application/vnd.unrolled.touch+json"
SEEDED = "trained", "drawn"                             # their verdicts are effects over seeds
KINDS = "exact", "rounding", *SEEDED, "timed", "cited"


def show(obj, *more, docstring=True):
    """Display the source of functions, classes or modules as highlighted Python.

    Only the common indentation is removed, so a method reads as it does in its file.

    Args:
        obj: a function, method, property, class or module written in Python.
        *more: further objects; all of them appear in one block, two blank lines apart.
        docstring: `False` leaves out every docstring, for a page whose prose already says it.

    Raises:
        TypeError: an object has no Python source (a number, a built-in, an instance).
    """
    source = "\n\n\n".join(_source(item, docstring) for item in (obj, *more))
    longest = max((len(run) for run in re.findall("`+", source)), default=0)
    fence = "`" * max(3, longest + 1)
    names = ", ".join(_name(item) for item in (obj, *more))
    _put({"text/markdown": f"{fence}python\n{source}\n{fence}", "text/plain": f"source of {names}"}, otherwise=source)


def table(label, head, rows):
    """Display a table in which every row leads to the place where it is measured.

    Args:
        label: what the table is, for those who hear it.
        head: titles of the columns, the first that of the rows' names.
        rows: (name, target, cells): the name, and after a line break its unit or condition; where it is measured, as
            for `address`; the cells as text, one a further column.

    Raises:
        ValueError: a column without a title, or a row with fewer or more cells than columns.
    """
    if not all(title.strip() for title in head):
        raise ValueError(f"every column must have a title, got {tuple(head)}")
    for name, _, cells in rows:
        if len(cells) != len(head) - 1:
            raise ValueError(f"row {name!r} must have {len(head) - 1} cells, got {len(cells)}")
    titles = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row"><a href="{html.escape(address(target))}">{html.escape(name.partition(chr(10))[0])}</a>'
        + (f"<small>{html.escape(name.partition(chr(10))[2])}</small>" if "\n" in name else "") + "</th>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>" for name, target, cells in rows)
    lines = [head, *([name.replace("\n", ", "), *cells] for name, _, cells in rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    plain = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
    _put({"text/html": f'<div class="scrolling" role="region" tabindex="0" aria-label="{html.escape(label)}">'
                       f'<table class="record named"><thead><tr>{titles}</tr></thead><tbody>{body}</tbody>'
                       "</table></div>",
          "text/plain": plain}, otherwise=plain)


def address(target):
    """Where a link leads: an anchor of this page without its hash, or another page, `cache.html` or `cache.html#state`.

    A link in a table or a drawing is HTML that the book's builder leaves as it is, so a page is named as on the site.
    """
    return target if target.partition("#")[0].endswith(".html") else f"#{target}"


def to_touch(key, **numbers):
    """Give a figure to touch the numbers that this page computed: on the site its script gets them as an object.

    Args:
        key: the figure's `:data:` option, lower case words joined by hyphens.
        **numbers: what JSON can hold, and arrays and tensors; floats are rounded to four significant digits.

    Raises:
        ValueError: `key` is badly formed, there is no number, or one is infinite or not a number.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key) or not numbers:
        raise ValueError(f"expected lower case words joined by hyphens, and some numbers, got {key!r} and {numbers!r}")
    plain = _rounded(numbers)
    json.dumps(plain, allow_nan=False)                       # no browser reads NaN
    text = f"numbers for the figure “{key}”"
    _put({TOUCH_MIME: {"key": key, "numbers": plain}, "text/plain": text}, otherwise=text)


def _rounded(value):
    """Lists and mappings for JSON, with four significant digits in each float."""
    if hasattr(value, "tolist"):                             # an array, a tensor or a scalar of either
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def claim(key, figure, holds=None, kind="exact", when=None, on=None, here=None):
    """Record the verdict on one claim: a line on the page, a row in the ledger. No outcome raises an error.

    Args:
        key: the row's name in `book/claims.yml`: lower case words joined by hyphens.
        figure: what was measured, as text with its unit, such as `"0.37 after 100 steps"`. Where only `here` is given
            it is a template for the recorded effects, such as `"accuracy {0.mean:.2f} at 12 steps and {1} at 60"`.
        holds: a bool computed by the cell; of a trained or drawn verdict, an effect over seeds (`unrolled.verdicts`),
            which can also be undecided; None where there is no measurement yet, and the figure says what is missing.
        kind: "exact", the same on every machine; "rounding", compared with a tolerance; "trained", training decides;
            "drawn", the random weights of untrained networks decide; "timed", the machine decides; "cited", a matter of
            history or of use: the figure is what the source says, and there is no `holds`.
        when: the condition under which the claim holds, completing "holds if …"; used only where it does hold.
        on: the machine on which a timed verdict was recorded, where another may say otherwise.
        here: the effect that this run of the page found, of a seeded verdict; shown where its word is another. Without
            `holds`, the verdict is that of the same effect over all seeds with which the page was run beforehand.

    Raises:
        TypeError: a text that is none, or `holds` that does not fit the kind.
        ValueError: `key` is badly formed, a text is empty, or there is no such kind.
    """
    for label, text in (("key", key), ("figure", figure), ("when", when), ("on", on)):
        if text is None and label in ("when", "on"):
            continue
        if not isinstance(text, str):
            raise TypeError(f"{label} must be text, got {type(text).__name__}: {text!r}")
        if not text.strip() or "\n" in text:
            raise ValueError(f"{label} must be one line of text, got {text!r}")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", key):
        raise ValueError(f"key must be lower case words joined by hyphens, got {key!r}")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    wanted = "an effect of unrolled.verdicts" if kind in SEEDED else "a bool computed by the cell"
    if not (holds is None or (hasattr(holds, "seeds") if kind in SEEDED else _is_bool(holds))):
        raise TypeError(f"{key}: holds must be {wanted}, or None, got {type(holds).__name__}: {holds!r}")
    if kind == "cited" and any(part is not None for part in (holds, when, on, here)):
        raise TypeError(f"{key}: what is cited is not measured; expected no holds, when, on or here")
    if not (here is None or (kind in SEEDED and hasattr(here, "seeds"))):
        raise TypeError(f"{key}: here must be an effect, and only of a trained or drawn verdict, got {here!r}")
    if holds is None and here is not None:
        from unrolled.verdicts import recorded

        holds = recorded(key, here)
        figure = figure.format(*(here if holds is None else holds).parts)
    verdict = "cited" if kind == "cited" else _verdict(holds, when, on)
    basis = f"{kind}, {holds.seeds} seeds" if hasattr(holds, "seeds") else kind
    measured = "" if holds is None else "measured: "
    otherwise_here = "" if here is None or _word(here) == _word(holds) else f" · this run: {_word(here)}, {here}"
    line = f"{{}}{verdict}{{}} · {measured}{figure}{otherwise_here} · {basis} · claim {{}}{key}{{}}"
    plain = line.format("", "", "", "")
    _put(
        {
            "text/markdown": line.format("**", "**", "`", "`"),
            "text/plain": plain,
            CLAIM_MIME: {"key": key, "figure": figure, "verdict": verdict, "kind": kind, "basis": basis}
                        | ({"effects": _effects(holds)} if hasattr(holds, "seeds") else {}),
        },
        otherwise=plain,
    )


def _effects(holds):
    """What the ledger says of each effect behind a verdict."""
    return _rounded([{name: getattr(part, name) for name in ("mean", "low", "high", "margin")} for part in holds.parts])


def _word(holds):
    """The verdict without its conditions, of a bool, an effect or None."""
    if holds is None:
        return "not measured yet"
    if hasattr(holds, "seeds"):
        return {True: "holds", False: "does not hold", None: "undecided"}[holds.holds]
    return "holds" if holds else "does not hold"


def _verdict(holds, when, on):
    """The verdict with what it depends on."""
    word = _word(holds)
    if word == "holds" and when is not None:
        word = f"holds if {when}"
    return word if on is None or holds is None else f"{word}, on {on}"


def _is_bool(value):
    """True for `bool` and for NumPy's scalar bool, without importing NumPy."""
    dtype = getattr(value, "dtype", None)
    return isinstance(value, bool) or (getattr(dtype, "kind", None) == "b" and value.shape == ())


def _name(obj):
    """The dotted name under which a reader finds the object."""
    obj = getattr(obj, "fget", obj)
    name = getattr(obj, "__qualname__", None)
    return obj.__name__ if name is None else f"{obj.__module__}.{name}"


def _source(obj, docstring):
    """The object's source without common indentation, with or without its docstrings."""
    try:
        source = inspect.getsource(getattr(obj, "fget", obj))
    except (TypeError, OSError) as error:
        kind = type(obj).__name__
        raise TypeError(f"show needs a function, class or module written in Python, got {kind}: {obj!r}") from error
    source = textwrap.dedent(source).strip("\n")
    return source if docstring else _without_docstrings(source)


def _without_docstrings(source):
    """Drop every docstring that stands on lines of its own and is not its definition's whole body."""
    lines = source.split("\n")
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node) is None or len(node.body) == 1:
            continue
        first, last, following = node.body[0].lineno, node.body[0].end_lineno, node.body[1].lineno
        if first > getattr(node, "lineno", 0) and following > last:
            while last < len(lines) and not lines[last].strip():     # the blank lines after it go too
                last += 1
            lines[first - 1 : last] = [None] * (last - first + 1)    # line numbers stay valid for the next one
    return "\n".join(line for line in lines if line is not None)


def _put(bundle, otherwise):
    """Display a bundle of formats where a notebook can take them, else print the plain text."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if getattr(shell, "kernel", None) is not None:
        ipython.display.display(bundle, raw=True)
    else:
        print(otherwise)
