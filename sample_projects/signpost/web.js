"use strict";
// The service for the public: says where a route leads. CONFIG says where its configuration is.

const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");
const { join } = require("node:path");

const config = JSON.parse(readFileSync(process.env.CONFIG ?? join(__dirname, "config.json"), "utf8"));

function answer(response, status, body) {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
}

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/health") {
    answer(response, 200, { status: "ok", service: "web", serial: config.serial });
  } else if (Object.hasOwn(config.routes, pathname)) {
    answer(response, 200, { to: config.routes[pathname] });
  } else {
    answer(response, 404, { error: `no route leads from ${pathname}` });
  }
});
server.listen(Number(process.env.PORT ?? 3000));
process.once("SIGTERM", () => process.exit(0));
process.once("SIGINT", () => process.exit(0));
