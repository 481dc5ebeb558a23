// The second browser: open every page in an installed Firefox and print, as JSON, what a reader would meet there.
//
//   node firefox.js FIREFOX TOOLS BASE PAGE...

const path = require("path");
const { pathToFileURL } = require("url");

const [executablePath, tools, base, ...pages] = process.argv.slice(2);

(async () => {
  const entry = pathToFileURL(path.join(tools, "node_modules/puppeteer-core/lib/puppeteer/puppeteer-core.js"));
  const { default: puppeteer } = await import(entry);
  const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true,
    defaultViewport: null, args: ["--width=1280", "--height=900"] });
  const page = await browser.newPage(), visits = [];
  let errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
  for (const name of pages) {
    errors = [];
    await page.goto(`${base}/${name}`, { waitUntil: "load" });
    const seen = await page.evaluate(() => ({
      overflow: Math.max(0, document.documentElement.scrollWidth - window.innerWidth),
      undrawn: [...document.querySelectorAll("[data-touch]")].filter((stage) => !stage.querySelector(".words")?.textContent).length,
      flat: [...document.querySelectorAll("math")].filter((math) => math.getClientRects().length && math.getBoundingClientRect().height < 4).length,
    }));
    visits.push({ page: name, errors, ...seen });
  }
  await browser.close();
  process.stdout.write(JSON.stringify(visits));
})().catch((error) => {
  process.stderr.write(String(error.stack));
  process.exit(1);
});
