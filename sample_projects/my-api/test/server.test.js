"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { it } = require("node:test");

const SERVER = path.join(__dirname, "..", "dist", "server.js");

for (const signal of ["SIGTERM", "SIGINT"]) {
  it(`the program listens on PORT, answers, and ends with 0 on ${signal}`, { timeout: 10_000 }, async (context) => {
    const server = spawn(process.execPath, [SERVER], {
      env: { ...process.env, PORT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    context.after(() => server.kill("SIGKILL"));

    const [printed] = await once(server.stdout, "data");
    const port = /port: (\d+)/.exec(printed)[1];
    const response = await fetch(`http://127.0.0.1:${port}/health`);
    assert.deepEqual(await response.json(), { status: "ok" });

    const ended = once(server, "exit");
    server.kill(signal);
    assert.deepEqual(await ended, [0, null]);
  });
}
