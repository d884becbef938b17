"use strict";
// node generate.js ROUTES.CSV CONFIG.JSON: turns the list of routes into the configuration of both services.
// Each run gives the result a serial number of its own.

const { randomUUID } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");

const [source, target] = process.argv.slice(2);
if (!source || !target) {
  console.error("usage: node generate.js ROUTES.CSV CONFIG.JSON");
  process.exit(2);
}
const [, ...lines] = readFileSync(source, "utf8").trim().split("\n");
const routes = Object.fromEntries(lines.map((line) => line.split(",").slice(0, 2)));
writeFileSync(target, JSON.stringify({ serial: randomUUID(), routes }, null, 2) + "\n");
console.log(`${Object.keys(routes).length} routes written to ${target}`);
