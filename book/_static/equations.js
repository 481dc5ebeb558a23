// A wide equation scrolls by itself: let the keyboard reach it.
window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(() => {
  for (const equation of document.querySelectorAll("div.math mjx-container")) equation.tabIndex = 0;
}));
