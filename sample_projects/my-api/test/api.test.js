"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, it } = require("node:test");

const { app } = require("../dist/server.js");

let server;
let address;

before(async () => {
  await new Promise((listening) => {
    server = app.listen(0, "127.0.0.1", listening);
  });
  address = `http://127.0.0.1:${server.address().port}`;
});

after(() => {
  server.close();
  server.closeAllConnections();
});

async function get(path) {
  const response = await fetch(address + path);
  assert.match(response.headers.get("content-type"), /^application\/json/);
  return { status: response.status, body: await response.json() };
}

describe("GET /health", () => {
  it("says ok", async () => {
    assert.deepEqual(await get("/health"), { status: 200, body: { status: "ok" } });
  });
});

describe("GET /api/stages", () => {
  it("lists the stages in the order of the Dockerfile", async () => {
    const { status, body } = await get("/api/stages");
    assert.equal(status, 200);
    assert.deepEqual(body.map((stage) => stage.name), ["builder", "test", "runtime"]);
  });

  it("lists only what is shipped when asked to", async () => {
    const { body } = await get("/api/stages?shipped=true");
    assert.deepEqual(body.map((stage) => stage.name), ["runtime"]);
  });

  it("lists only what stays behind when asked to", async () => {
    const { body } = await get("/api/stages?shipped=false");
    assert.deepEqual(body.map((stage) => stage.name), ["builder", "test"]);
  });

  for (const value of ["", "yes", "true&shipped=true"]) {
    it(`refuses shipped=${value}`, async () => {
      const { status, body } = await get(`/api/stages?shipped=${value}`);
      assert.deepEqual({ status, body }, { status: 400, body: { error: "shipped must be true or false" } });
    });
  }
});

describe("GET /api/stages/:name", () => {
  it("gives one stage", async () => {
    const { status, body } = await get("/api/stages/runtime");
    assert.equal(status, 200);
    assert.deepEqual(body, {
      name: "runtime",
      base: "node:20-alpine",
      purpose: "run the compiled code",
      shipped: true,
    });
  });

  it("answers 404 for a stage that is not there", async () => {
    const { status, body } = await get("/api/stages/biulder");
    assert.deepEqual({ status, body }, { status: 404, body: { error: 'there is no stage "biulder"' } });
  });

  for (const name of ["Builder", "0", "two%20words", "..%2Fetc"]) {
    it(`answers 400 for ${name}, which cannot be the name of a stage`, async () => {
      const { status, body } = await get(`/api/stages/${name}`);
      assert.equal(status, 400);
      assert.match(body.error, /starts with a letter/);
    });
  }

  it("answers 400 in JSON for a path that cannot be decoded", async () => {
    const { status, body } = await get("/api/stages/%E0%A4%A");
    assert.equal(status, 400);
    assert.equal(typeof body.error, "string");
  });
});

describe("GET /api/reduction", () => {
  const cases = [
    { query: "before=200&after=50", reduction: 0.75 },
    { query: "before=200&after=200", reduction: 0 },
    { query: "before=200&after=0", reduction: 1 },
    { query: "before=100&after=150", reduction: -0.5 },
  ];
  for (const { query, reduction } of cases) {
    it(`answers ${reduction} for ${query}`, async () => {
      const { status, body } = await get(`/api/reduction?${query}`);
      assert.equal(status, 200);
      assert.equal(body.reduction, reduction);
    });
  }

  const mistakes = ["", "before=200", "before=200&after=-1", "before=0&after=0", "before=1e3&after=1", "before=1&before=2&after=1"];
  for (const query of mistakes) {
    it(`answers 400 for "${query}"`, async () => {
      const { status, body } = await get(`/api/reduction?${query}`);
      assert.equal(status, 400);
      assert.match(body.error, /^(before|after) must be/);
    });
  }
});

describe("anything else", () => {
  it("is answered with 404 in JSON", async () => {
    const { status, body } = await get("/stages");
    assert.deepEqual({ status, body }, { status: 404, body: { error: "there is nothing at /stages" } });
  });
});
