// A wide equation scrolls by itself: let the keyboard reach it. A formula in a line keeps the mark that follows it.
window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(() => {
  for (const equation of document.querySelectorAll("div.math mjx-container")) equation.tabIndex = 0;
  for (const formula of document.querySelectorAll("p span.math, li span.math")) {      // no line begins with its full stop
    const next = formula.nextSibling, mark = next?.nodeType === Node.TEXT_NODE && next.data.match(/^[.,;:!?)’”]+/);
    if (!mark) continue;
    const whole = document.createElement("span");
    whole.style.whiteSpace = "nowrap";
    formula.replaceWith(whole);
    whole.append(formula, mark[0]);
    next.data = next.data.slice(mark[0].length);
  }
}));
