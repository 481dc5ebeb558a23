"""The program inside the sandbox: runs a student's cells once, then calls their functions as it is told.

It is public, and a student's code runs in its very process, so nothing here can be a secret and no reply of it is
believed: the grader knows the reference and the inputs, and reads replies as it would read a stranger's file. At worst
a forged reply is a wrong array. Only the standard library and NumPy are here.

A frame is eight bytes of length, big-endian, and an npz of that length. Its member `json` says what it is.
"""

import builtins
import io
import json
import os
import re
import resource
import struct
import sys
import traceback
import types

if __name__ == "__main__":
    sys.path[:0] = ["/packages"]     # where the sandbox has NumPy; with -S nothing else leads there

import numpy as np  # noqa: E402

MESSAGE = 160                        # characters of an error that a student is shown
NAMES = 64                           # arrays in one reply
NAME = 64                            # characters in the name of one
FRAME = 32 << 20                     # bytes in one frame
LENGTH = struct.Struct(">Q")
DTYPES = {np.dtype(code) for code in "?bhilqBHILQefd"}      # truth values, integers and real numbers up to 64 bits

# Cell magics after which the rest of the cell is still Python.
PYTHON_CELLS = {"time", "timeit", "capture", "prun", "python", "python3", "memit", "mprun", "lprun", "debug"}
MAGIC = re.compile(r"\s*(%|!|\?|.*\?\s*$|[\w.,\s]+=\s*[%!])")


# Frames

def pack(message, arrays=()):
    """An npz of a JSON-able message and arrays, as bytes."""
    members = {str(number): array for number, array in enumerate(arrays)}
    file = io.BytesIO()
    np.savez(file, json=np.frombuffer(json.dumps(message).encode(), np.uint8), **members)
    return file.getvalue()


def flatten(value, arrays):
    """The JSON-able skeleton of nested dicts, their arrays moved to the list `arrays`."""
    if isinstance(value, dict):
        return {"dict": {name: flatten(entry, arrays) for name, entry in value.items()}}
    if value is None or type(value) in (bool, int, float, str):
        return {"plain": value}
    array = np.asarray(value)
    if array.dtype not in DTYPES:
        raise TypeError(f"a call takes arrays of numbers, dicts of them, numbers, text and None, got {array.dtype}")
    arrays.append(array)
    return {"array": str(len(arrays) - 1)}


def restore(skeleton, arrays):
    """Undo `flatten`."""
    (kind, value), = skeleton.items()
    if kind == "dict":
        return {name: restore(entry, arrays) for name, entry in value.items()}
    return value if kind == "plain" else arrays[value]


# The student's cells

def compiled(source, filename):
    """Compile a cell; lines that only IPython understands become comments, and no other line is touched.

    Raises:
        SyntaxError: what is left is not Python.
    """
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        if first[2:].split(maxsplit=1)[:1] and first[2:].split()[0] not in PYTHON_CELLS:
            return compile("", filename, "exec", dont_inherit=True)
        lines[lines.index(first)] = "pass  # " + first
    while True:
        try:
            return compile("\n".join(lines), filename, "exec", dont_inherit=True)
        except SyntaxError as error:
            number = (error.lineno or 0) - 1
            if not (0 <= number < len(lines) and MAGIC.match(lines[number])):
                raise
            text = lines[number].lstrip()
            lines[number] = lines[number][: len(lines[number]) - len(text)] + "pass  # " + text


def run_cells(cells, namespace, started=lambda number: None):
    """Run every cell once, one after the other; one that fails does not stop the others.

    Args:
        cells: their sources.
        namespace: where they leave their definitions.
        started: called with the number of each cell, from 1, before it runs.

    Returns:
        One error, a dict as `call` makes it, for each cell that failed.
    """
    errors = []
    for number, source in enumerate(cells, 1):
        started(number)
        try:
            exec(compiled(source, f"<cell {number}>"), namespace)
        except BaseException as error:          # a student's SystemExit too: the other cells still run
            errors.append(described(error) | {"cell": number})
    return errors


def call(namespace, function, arguments):
    """Call a student's function.

    Returns:
        A dict of arrays and None, or None and a dict that says what went wrong.
    """
    if not callable(namespace.get(function)):
        return None, {"kind": "missing"}
    try:
        result = namespace[function](**arguments)
    except BaseException as error:
        return None, described(error)
    try:
        return named_arrays(result), None
    except (TypeError, ValueError) as error:
        return None, {"kind": "result", "message": str(error)}
    except BaseException as error:
        return None, described(error)


def named_arrays(result):
    """A function's result as a dict of plain arrays.

    Raises:
        TypeError, ValueError: it is something else, or too much; the message continues "`forward` returned …".
    """
    if result is None:
        raise TypeError("None: is a `return` missing?")
    if isinstance(result, tuple):
        result = {str(number): value for number, value in enumerate(result)}
    elif not isinstance(result, dict):
        result = {"result": result}
    if len(result) > NAMES:
        raise ValueError(f"{len(result)} arrays, at most {NAMES} are read")
    arrays = {}
    for name, value in result.items():
        if not (isinstance(name, str) and len(name) <= NAME):
            raise TypeError(f"a dict with a key that is no name: {one_line(name, 40)}")
        at = "" if list(result) == ["result"] else f"a result whose entry '{one_line(name)}' is "
        if value is None or isinstance(value, (dict, tuple, str, bytes)):
            raise TypeError(f"{at}{'None' if value is None else type(value).__name__}, expected an array")
        try:
            array = np.array(value, order="C")      # a plain array: of a subclass only the numbers are left
        except ValueError as error:
            raise TypeError(f"{at}no array: {error}") from error
        native = array.dtype.newbyteorder("=")
        if native not in DTYPES:
            raise TypeError(f"{at}an array of dtype {array.dtype}, expected real numbers of at most 64 bits")
        arrays[name] = array.astype(native, copy=False)
    if (size := sum(array.nbytes for array in arrays.values())) > FRAME - (1 << 20):
        raise ValueError(f"{size >> 20} MiB, at most {(FRAME >> 20) - 1} are read")
    return arrays


def described(error):
    """An exception as a dict: its type, its message, and the innermost line of the student's cells."""
    line = {"kind": "raised", "type": type(error).__name__, "message": one_line(error)}
    if isinstance(error, SyntaxError):
        return line | {"message": one_line(error.msg), "line": error.lineno}
    for frame, number in traceback.walk_tb(error.__traceback__):
        if found := re.fullmatch(r"<cell (\d+)>", frame.f_code.co_filename):
            line |= {"cell": int(found[1]), "line": number}
    return line


def one_line(text, length=MESSAGE):
    """Text as one short printable line, its fractions masked: an error may quote a hidden input."""
    try:
        text = str(text)
    except BaseException:                       # a hostile __str__
        text = "(no text)"
    text = "".join(c if c.isprintable() else " " for c in text[: 4 * length])
    text = re.sub(r"[-+]?\d*\.\d+(e[-+]?\d+)?|\d{7,}|\d\.?e[-+]?\d+", "…", text, flags=re.IGNORECASE)
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 1] + "…"


# The process

def main():
    limits = json.loads(sys.argv[1])
    confine(limits)
    # The protocol keeps the pipes; what the student prints goes nowhere, at no cost to anyone.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)

    def send(message, arrays=()):
        frame = pack(message, arrays)
        replies.write(LENGTH.pack(len(frame)) + frame)
        replies.flush()

    def receive():
        header = requests.read(LENGTH.size)
        if len(header) < LENGTH.size:
            os._exit(0)
        with np.load(io.BytesIO(requests.read(LENGTH.unpack(header)[0])), allow_pickle=False) as members:
            arrays = dict(members)
        return json.loads(arrays.pop("json").tobytes()), arrays

    send({"ready": True})
    cells = receive()[0]["cells"]
    module = types.ModuleType("__main__")       # dataclasses and pickle look their module up by this name
    sys.modules["__main__"] = module
    module.__dict__["display"] = lambda *_, **__: None
    module.__dict__["__builtins__"] = builtins
    errors = run_cells(cells, module.__dict__, lambda number: send({"cell": number}))
    send({"defined": True, "errors": errors[:NAMES]})
    while True:
        request, arrays = receive()
        arguments = {name: restore(value, arrays) for name, value in request["arguments"].items()}
        results, error = call(module.__dict__, request["function"], arguments)
        if error is None:
            send({"names": list(results)}, results.values())
        else:
            send({"error": error})


def confine(limits):
    """Become an ordinary user where the grader is root, and set limits that nobody here can raise again."""
    if limits["uid"] is not None:
        os.setgroups([])
        os.setresgid(*[limits["uid"]] * 3)
        os.setresuid(*[limits["uid"]] * 3)
    for name, value in limits["rlimits"].items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


if __name__ == "__main__":
    main()
