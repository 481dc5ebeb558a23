"""Follow, inside a kernel, which functions a notebook enters; name those it shows or defines and never runs.

    import notebook_trace; notebook_trace.start()       before the first cell
    notebook_trace.report()                             after the last: prints JSON
"""

import functools
import inspect
import json
import sys
import threading
from pathlib import Path

entered = {}  # id -> code object; the object is kept, so that its id stays its own
shown = []  # what `unrolled.show` was given


def start():
    """Follow every function entered from now on, and every object given to `show`."""
    from unrolled.page import display

    original = display.show

    @functools.wraps(original)
    def show(obj, *more, **options):
        shown.extend((obj, *more))
        return original(obj, *more, **options)

    display.show = show
    threading.settrace(_enter)
    sys.settrace(_enter)


def _enter(frame, event, argument):
    entered[id(frame.f_code)] = frame.f_code  # and return None: lines inside the function are not followed


def report():
    """Print, as JSON, how many definitions the notebook shows and writes, and which of them it never enters."""
    sys.settrace(None)
    threading.settrace(None)
    ran = {_key(code) for code in entered.values()}
    cells = [code for code in entered.values() if "ipykernel_" in code.co_filename and code.co_name == "<module>"]
    on_page = {_key(code) for obj in shown for code in _functions_of(obj)}
    in_cells = {_key(code) for cell in cells for code in _functions(cell)}
    never = sorted((on_page | in_cells) - ran)
    names = [f"{name} ({_place(file)}, line {line})" for file, line, name in never]
    print(json.dumps({"shown": len(on_page), "defined": len(in_cells), "never": names}))


def _place(file):
    return "a cell" if "ipykernel_" in file else Path(file).name


def _key(code):
    return code.co_filename, code.co_firstlineno, code.co_qualname


def _functions(code):
    """Code objects of the functions and methods nested in `code`, at any depth; no lambdas, no comprehensions."""
    for inner in code.co_consts:
        if inspect.iscode(inner):
            if inner.co_flags & inspect.CO_OPTIMIZED and not inner.co_name.startswith("<"):  # a class body is not
                yield inner
            yield from _functions(inner)


def _functions_of(obj):
    """Code objects of every function in the source that `show(obj)` puts on the page."""
    obj = inspect.unwrap(getattr(obj, "fget", obj))
    file = inspect.getsourcefile(obj)
    lines, first = inspect.getsourcelines(obj)
    source = "".join(inspect.findsource(obj)[0])
    for code in _functions(compile(source, file, "exec")):
        if first <= code.co_firstlineno < max(first, 1) + len(lines):
            yield code
