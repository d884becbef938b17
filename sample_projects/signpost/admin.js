"use strict";
// The service for those who look after it: lists the routes. CONFIG says where its configuration is.

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
    answer(response, 200, { status: "ok", service: "admin", serial: config.serial });
  } else if (pathname === "/routes") {
    answer(response, 200, config.routes);
  } else {
    answer(response, 404, { error: `there is nothing at ${pathname}` });
  }
});
server.listen(Number(process.env.PORT ?? 3000));
process.once("SIGTERM", () => process.exit(0));
process.once("SIGINT", () => process.exit(0));
