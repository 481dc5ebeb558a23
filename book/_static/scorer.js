// The search puts pages that teach before the glossary, the package and the back matter. Embedded by Sphinx.
var Scorer = {
  score: ([docname, title, anchor, descr, score]) => {
    const page = docname.match(/^book\/([^/]+)\/([^/]+)$/);
    if (!page) return Math.min(score, 20) - 20;
    return score + (page[2] === "index" ? 2 : /^(questions|exercises)$/.test(page[2]) ? -2 : 10);
  },
  objNameMatch: 11, objPartialMatch: 6, objPrio: { 0: 15, 1: 5, 2: -5 }, objPrioDefault: 0,
  title: 15, partialTitle: 7, term: 5, partialTerm: 2,
};
