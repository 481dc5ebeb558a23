// What a figure to touch computes, without a browser: node numbers.js FIGURE FUNCTION ARGUMENTS-AS-JSON
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const [figure, name, given] = process.argv.slice(2);
const folder = path.join(__dirname, "../../book/_static/touch");
const context = vm.createContext({ document: { addEventListener() {} }, Math });
for (const script of ["touch.js", `${figure}.js`]) {
  vm.runInContext(fs.readFileSync(path.join(folder, script), "utf8"), context, { filename: script });
}
const found = vm.runInContext(`Unrolled.figures[${JSON.stringify(figure)}]`, context);
process.stdout.write(JSON.stringify(found[name](...JSON.parse(given))));
