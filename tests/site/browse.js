// Open every page of the built site in an installed browser and print, as JSON, what a reader would meet.
//
//   node browse.js CHROMIUM TOOLS BASE PAGE...
//
// CHROMIUM is the browser, TOOLS the folder that holds node_modules, BASE where the site is served, and each PAGE a
// path under it. test_browser.py runs this once and asserts on what it prints.

const path = require("path");
const zlib = require("zlib");

const [chromiumPath, tools, base, ...pages] = process.argv.slice(2);
const { chromium } = require(path.join(tools, "node_modules/playwright-core"));
const axe = require.resolve(path.join(tools, "node_modules/axe-core/axe.min.js"));

const WIDTHS = [1280, 375];
const SCHEMES = ["light", "dark"];
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const settled = async (page) => {
  await page.evaluate(() => document.fonts.ready);
};

// Record what a page asks for and complains about, from now on.
function watch(page) {
  const seen = { external: [], failed: [], errors: [], bytes: 0, bodies: [] };
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(base) && !url.startsWith("data:") && !url.startsWith("blob:")) seen.external.push(url);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) seen.failed.push(`${response.status()} ${response.url()}`);
    seen.bodies.push(response.body().then((body) => zlib.gzipSync(body).length, () => 0));
  });
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") seen.errors.push(message.text());
  });
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  return seen;
}

// What sticks out of the window to the right, other than inside something that scrolls by itself.
function sticksOut() {
  const outside = (element) => element.getClientRects().length && getComputedStyle(element).visibility === "visible" &&
    element.getBoundingClientRect().right > window.innerWidth + 1;
  const scrolls = (element) => getComputedStyle(element).overflowX !== "visible";
  const contained = (element) => !element.matches("main") && (scrolls(element) || contained(element.parentElement));
  return [...document.querySelectorAll("main *")]
    .filter((element) => outside(element) && !outside(element.parentElement) && !contained(element.parentElement))
    .map((element) => element.cloneNode(true).outerHTML.slice(0, 160));
}

// What lies on a ground of its own that is light on a dark page, or dark on a light one.
function islands() {
  const lightness = (element) => {
    const color = getComputedStyle(element).backgroundColor;
    if (!color.startsWith("rgb")) throw new Error(`expected a ground in rgb, got ${color}`);
    const [r, g, b, alpha = 1] = color.match(/[\d.]+/g).map(Number);
    return alpha > 0.5 ? (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255 : null;
  };
  const ground = lightness(document.body);
  return [...document.querySelectorAll("main *")].filter((element) => {
    const { width, height } = element.getBoundingClientRect(), own = lightness(element);
    return width > 60 && height > 60 && own !== null && Math.abs(own - ground) > 0.5;
  }).map((element) => element.cloneNode(true).outerHTML.slice(0, 160));
}

async function visit(context, name, width, scheme) {
  const page = await context.newPage();
  const seen = watch(page);
  await page.addInitScript(() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
  });
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  await settled(page);
  const gzipped = (await Promise.all(seen.bodies)).reduce((sum, bytes) => sum + bytes, 0);
  const layout = await page.evaluate(() => ({
    theme: document.documentElement.dataset.theme,
    shift: window.shift,
    height: document.documentElement.scrollHeight,
    figures: document.querySelectorAll("[data-touch]").length,
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    mathErrors: [...document.querySelectorAll("math")].map((node) => node.textContent).filter((text) => /\\|undefined/.test(text)),
    images: [...document.images].filter((image) => !(image.complete && image.naturalWidth)).map((image) => image.src),
  }));
  layout.sticksOut = await page.evaluate(sticksOut);
  layout.islands = await page.evaluate(islands);
  await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  await page.close();
  return {
    page: name, width, scheme, gzipped, ...layout, external: seen.external, failed: seen.failed, errors: seen.errors,
    violations: violations.map((one) => `${one.id} (${one.impact}): ${one.help}\n` +
      one.nodes.map((node) => `    ${node.target} ${node.failureSummary.replace(/\s+/g, " ")}`).join("\n")),
  };
}

// The first press of Tab offers to skip to the content, and accepting it puts the reader there.
async function keyboard(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  await page.keyboard.press("Tab");
  const first = await page.evaluate(() => ({
    text: document.activeElement.textContent.trim(),
    outline: getComputedStyle(document.activeElement).outlineStyle,
  }));
  await page.keyboard.press("Enter");
  await page.keyboard.press("Tab");
  const inside = await page.evaluate(() => document.querySelector("main").contains(document.activeElement));
  await page.close();
  return { page: name, first, inside };
}

// On a telephone the table of contents opens from its button, and closes on Escape.
async function menu(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  const link = page.locator(".bd-links a").first();
  const before = await link.isVisible();
  await page.locator("button.primary-toggle").first().click();
  await page.waitForTimeout(600);
  const opened = await link.isVisible();
  await page.keyboard.press("Escape");
  await page.waitForTimeout(600);
  const closed = !(await link.isVisible());
  await page.close();
  return { before, opened, closed };
}

// Without a mouse: each option of a quiz opens, a count is kept over a reload, and it can be started again.
async function quiz(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  const options = page.locator(".quiz .question").first().locator(".option");
  const steps = { before: await page.locator(".quiz .progress-line").isVisible(), shown: [] };
  for (let at = 0; at < await options.count(); at++) {
    await options.nth(at).locator("summary").focus();
    await page.keyboard.press("Enter");
    steps.shown.push(await options.nth(at).locator("div").innerText());
  }
  const first = await options.first().evaluate((option) => option.classList.contains("right"));
  steps.expected = `1 of ${await page.locator(".quiz .question").count()} answered, ${Number(first)} right at the first try.`;
  const counted = () => page.locator(".quiz .progress-line span").innerText();
  steps.counted = await counted();
  await page.reload({ waitUntil: "networkidle" });
  steps.kept = await counted();
  await page.locator(".quiz button").focus();
  await page.keyboard.press("Enter");
  steps.after = await page.locator(".quiz .progress-line").isVisible();
  await page.close();
  return steps;
}

// Without a mouse: a question is drawn, the clock runs only when told to, the answer shows, and the mark is kept.
async function practise(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  await settled(page);
  const press = async (words) => {
    await page.locator("#practice").getByRole("button", { name: words, exact: true }).focus();
    await page.keyboard.press("Enter");
  };
  const time = () => page.locator("#practice .time").innerText(), line = () => page.locator("#practice .progress-line").innerText();
  const steps = { all: await page.locator("section.interview").count(), before: await line() };
  await press("Draw a question");
  steps.focus = await page.evaluate(() => document.activeElement.className);
  await page.waitForTimeout(1500);
  steps.still = await time();
  await press("Start the clock");
  await page.waitForTimeout(2500);
  steps.ran = await time();
  await press("Show the answer");
  steps.words = (await page.locator("#practice .told").innerText()).split(/\s+/).length;
  await press("Not yet");
  await page.reload({ waitUntil: "networkidle" });
  steps.kept = await line();
  await page.locator("#practice select[name=Mark]").selectOption("not yet");
  steps.filtered = await line();
  steps.ids = await page.evaluate(() => [...document.querySelectorAll("#practice [id]")].length);
  await page.close();
  return steps;
}

// Figures to touch: every control answers to the keyboard and, on a telephone, to a finger; the words below follow.
async function touch(context, name, finger) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  const found = [];
  for (const stage of await page.locator("[data-touch]").all()) {
    const words = () => stage.locator(".words").innerText();
    for (const control of await stage.locator("input, button, select").all()) {
      const before = await words(), range = (await control.getAttribute("type")) === "range";
      if (await control.evaluate((one) => one.tagName === "SELECT")) {      // a finger opens the system's own list
        await control.selectOption({ index: (await control.evaluate((one) => one.selectedIndex)) ? 0 : 1 });
      } else if (finger) {
        const { width, height } = await control.boundingBox();
        const far = await control.evaluate((one) => (one.value - one.min) / (one.max - one.min) > 0.5);
        await control.tap({ position: { x: (range ? (far ? 0.2 : 0.8) : 0.5) * width, y: height / 2 } });
      } else {
        await control.focus();
        await page.keyboard.press(range ? "ArrowRight" : "Enter");
      }
      found.push({ page: name, figure: await stage.getAttribute("data-touch"), finger, width: (await control.boundingBox()).width,
        height: (await control.boundingBox()).height, control: await control.evaluate((one) => one.closest("label, [role=group]")?.innerText),
        answered: (await words()) !== before });
    }
  }
  await page.close();
  return found;
}

// A word of the glossary shows its definition under the mouse and under the focus, and is none the worse without.
async function hover(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  const link = page.locator("a:has(> .term)").first(), shown = [];
  for (const show of [() => link.hover(), () => link.focus()]) {
    await page.mouse.move(0, 0);
    await page.evaluate(() => document.activeElement.blur());
    await page.waitForFunction(() => !document.querySelector(".tippy-box"), null, { timeout: 5000 });
    await show();
    await page.waitForSelector(".tippy-box", { timeout: 5000 });
    shown.push(await page.locator(".tippy-box").innerText());
  }
  await page.close();
  return { shown };
}

// The list of a page's sections marks the one that is read: none above the first, and each when its heading is on top.
async function sections(context, name) {
  const page = await context.newPage();
  await page.goto(`${base}/${name}`, { waitUntil: "networkidle" });
  const links = page.locator("#on-this-page a");
  const marked = async () => {
    await page.waitForTimeout(200);
    return links.evaluateAll((all) => all.flatMap((link, at) => (link.getAttribute("aria-current") ? [at] : [])));
  };
  const seen = { top: await marked(), down: [], count: await links.count() };
  for (let at = 0; at < seen.count; at++) {
    await links.nth(at).evaluate((link) => document.getElementById(link.hash.slice(1)).scrollIntoView());
    seen.down.push(await marked());
  }
  await page.evaluate(() => window.scrollTo(0, 0));
  seen.back = await marked();
  await page.close();
  return seen;
}

async function search(context, word) {
  const page = await context.newPage();
  const seen = watch(page);
  await page.goto(`${base}/search.html?q=${encodeURIComponent(word)}`, { waitUntil: "networkidle" });
  await page.waitForSelector("#search-results li a", { timeout: 10000 }).catch(() => {});
  const found = await page.locator("#search-results li a").evaluateAll((links) => links.map((link) => link.href));
  await page.close();
  return { word, found, external: seen.external, errors: seen.errors };
}

(async () => {
  const browser = await chromium.launch({ executablePath: chromiumPath, args: FLAGS });
  const report = { visits: [], searches: [], keyboard: [], touch: [] };
  const chapter = pages.find((name) => name.startsWith("book/rnn")) ?? pages[0];
  const quizzed = pages.find((name) => name.endsWith("order-and-state.html")) ?? chapter;
  const defined = pages.find((name) => name.endsWith("lstm/backward.html")) ?? chapter;
  const tasks = [];
  for (const width of WIDTHS) {
    for (const colorScheme of SCHEMES) {
      const context = await browser.newContext({
        viewport: { width, height: width > 500 ? 900 : 760 }, colorScheme, hasTouch: width < 500 });
      tasks.push(...pages.map((name) => async () => {
        const seen = await visit(context, name, width, colorScheme);
        report.visits.push(seen);
        process.stderr.write(`  ${width} ${colorScheme} ${name}\n`);
        if (seen.figures && colorScheme === "light") report.touch.push(...(await touch(context, name, width < 500)));
      }));
      if (colorScheme === "light" && width > 500) {
        for (const words of ["recurrent", "positional encoding", "padding mask", "vanishing gradient", "forget gate"]) {
          tasks.push(async () => report.searches.push(await search(context, words)));
        }
        tasks.push(async () => report.keyboard.push(await keyboard(context, chapter)));
        tasks.push(async () => { report.quiz = await quiz(context, quizzed); });
        tasks.push(async () => { report.sections = await sections(context, quizzed); });
        tasks.push(async () => { report.hover = await hover(context, defined); });
        tasks.push(async () => { report.practice = await practise(context, "book/handbook.html"); });
      }
      if (colorScheme === "light" && width < 500) tasks.push(async () => { report.menu = await menu(context, chapter); });
    }
  }
  const worker = async () => { for (let task; (task = tasks.shift()); ) await task(); };
  await Promise.all([worker(), worker()]);
  await browser.close();
  process.stdout.write(JSON.stringify(report));
})().catch((error) => { console.error(error); process.exit(1); });
