"""What a student gets back: one HTML and one Markdown file, with every row, its points and what the grader said.

Whatever a student wrote, or a sandbox said, is text here and nothing else.
"""

import html
import re

from coursework.term.course import plain, write

EXCHANGE = "timestamp.txt", "submission_secret.txt"       # by these nbgrader's exchange finds whose feedback it is

MEANING = {
    "graded": "Your notebook was read, and every row was tried.",
    "rejected": "Your notebook could not be graded as it is. This is no zero: your instructor decides what comes next.",
    "timed out": "Your notebook took longer than it may. Rows that were not reached have no points.",
    "crashed": "Grading your notebook broke off. This is no zero: your instructor decides what comes next.",
    "missing": "No notebook was handed in.",
    "not graded yet": "Your notebook has arrived and has not been graded yet.",
}

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; vertical-align: top; padding: .5rem .75rem; border-bottom: 1px solid #bbb; }}
td.points {{ white-space: nowrap; font-variant-numeric: tabular-nums; }}
.said {{ display: block; color: #444; overflow-wrap: anywhere; }}
code {{ background: #f0f0f0; padding: 0 .2em; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{who}</p>
<p><strong>{status}</strong> {meaning}</p>
{notes}<p><strong>{total}</strong></p>
<table>
<thead><tr><th scope="col">what was asked</th><th scope="col">points</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def feedback(course, assignment, records):
    """Write `feedback/STUDENT/NAME/NAME.html` and `.md` for everyone, where nbgrader looks for them too.

    Args:
        course: a `Course`.
        assignment: an `Assignment`.
        records: what `gradebook.records` returns.

    Returns:
        How many students it was written for.
    """
    for record in records:
        folder = course.path("feedback", record.student, assignment.name)
        write(folder / f"{assignment.name}.html", page(assignment, record))
        write(folder / f"{assignment.name}.md", markdown(assignment, record))
        for name in EXCHANGE:
            beside = course.notebook("submitted", assignment.name, record.student).with_name(name)
            if beside.is_file() and not beside.is_symlink():
                write(folder / name, beside.read_bytes())
    return len(records)


def meaning(status):
    """What a status means, for the student."""
    return MEANING[status.split(":")[0]]


def heading(status):
    """A status as a sentence."""
    return status[:1].upper() + status[1:].rstrip(".") + "."


def summary(record):
    """The points in one line, and what is still open."""
    possible = sum(row["points"] for row in record.rows)
    if record.status == "missing":
        return "No points, since nothing was handed in."
    if record.automatic is None:
        return "Points have not been decided yet."
    written = record.written
    if written["earned"] is None:
        return (f"{record.automatic:g} of {possible:g} points by the grader; the written answer, worth "
                f"{written['points']:g}, has not been marked yet.")
    return f"{record.total:g} of {possible + written['points']:g} points."


def _lines(record):
    """What was asked, points, what was said: the rows, then the written answer, then a marker's other remarks."""
    lines = [(row["title"], row["earned"], row["points"], row["message"]) for row in record.rows]
    written = record.written
    lines.append(("The written answer.", written["earned"], written["points"], written["comment"]))
    return lines + [(f"A remark on `{cell}`.", None, None, text) for cell, text in written["remarks"].items()]


def _points(earned, points):
    if points is None:
        return ""
    return f"{'–' if earned is None else format(earned, 'g')} / {points:g}"


# HTML

def page(assignment, record):
    """The feedback as one HTML page, without a script, an image or a link."""
    rows = "\n".join(
        f'<tr><td>{_inline(title)}<span class="said">{_inline(said)}</span></td>'
        f'<td class="points">{_points(earned, points)}</td></tr>' for title, earned, points, said in _lines(record))
    notes = "".join(f"<p>{_inline(note)}</p>\n" for note in record.notes)
    return PAGE.format(title=_inline(assignment.title), who=_inline(f"{record.name} ({record.student})"),
                       status=_inline(heading(record.status)), meaning=_inline(meaning(record.status)), notes=notes,
                       total=_inline(summary(record)), rows=rows)


def _inline(text):
    """Text as HTML; what stands between backticks is code."""
    safe = html.escape(plain(text).replace("\n", " "))
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)


# Markdown

def markdown(assignment, record):
    """The feedback as Markdown."""
    lines = [f"# {_text(assignment.title)}", "", _text(f"{record.name} ({record.student})"), "",
             f"**{_text(heading(record.status))}** {_text(meaning(record.status))}", ""]
    lines += [part for note in record.notes for part in (_text(note), "")]
    lines += [f"**{_text(summary(record))}**", ""]
    for title, earned, points, said in _lines(record):
        shown = f"**{_points(earned, points)}** " if points is not None else ""
        lines.append(f"- {shown}{_text(title)}" + (f"  \n  {_text(said)}" if said else ""))
    return "\n".join(lines) + "\n"


def _text(text):
    """Text as Markdown that shows it as it is; what stands between single backticks is code."""
    def escape(part):
        entities = part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        return re.sub(r"([\\*_{}\[\]()#+\-.!|~$`])", r"\\\1", entities).replace("://", "&#58;//")

    parts = re.split(r"(`[\w .,()/-]+`)", plain(text).replace("\n", " "))
    return "".join(part if number % 2 else escape(part) for number, part in enumerate(parts))
