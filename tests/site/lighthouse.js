// Ask Lighthouse about some pages in an installed Chromium and print, as JSON, what it misses in accessibility, good
// practice and search engines. Its marks for speed depend on the machine and are not asked for here.
//
//   node lighthouse.js CHROMIUM TOOLS BASE PAGE...

const path = require("path");
const { pathToFileURL } = require("url");

const [executablePath, tools, base, ...pages] = process.argv.slice(2);
const from = (file) => import(pathToFileURL(path.join(tools, "node_modules", file)));
const onlyCategories = ["accessibility", "best-practices", "seo"];

(async () => {
  const { default: puppeteer } = await from("puppeteer-core/lib/puppeteer/puppeteer-core.js");
  const { default: lighthouse } = await from("lighthouse/core/index.js");
  const browser = await puppeteer.launch({ executablePath, headless: true, args: ["--no-sandbox"] });
  const visits = [];
  for (const name of pages) {
    const page = await browser.newPage();
    const flags = { onlyCategories, throttlingMethod: "provided", logLevel: "error" };
    const { lhr } = await lighthouse(`${base}/${name}`, flags, undefined, page);
    await page.close();
    const scores = Object.fromEntries(onlyCategories.map((category) => [category, lhr.categories[category].score]));
    const missed = Object.values(lhr.audits).filter((audit) => audit.scoreDisplayMode === "binary" && audit.score === 0);
    visits.push({ page: name, scores, missed: missed.map((audit) => `${audit.id}: ${audit.title}`) });
  }
  await browser.close();
  process.stdout.write(JSON.stringify(visits));
})().catch((error) => {
  process.stderr.write(String(error.stack));
  process.exit(1);
});
