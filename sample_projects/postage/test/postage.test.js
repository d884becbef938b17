"use strict";

const assert = require("node:assert/strict");
const { after, before, describe, it } = require("node:test");

const { postage } = require("../dist/postage.js");
const { app } = require("../dist/server.js");

describe("what a parcel costs", () => {
  const cases = [
    { zone: "home", grams: "1", cents: 490 },
    { zone: "home", grams: "1000", cents: 490 },
    { zone: "home", grams: "1001", cents: 570 },
    { zone: "near", grams: "2500", cents: 1410 },
    { zone: "far", grams: "20000", cents: 14050 },
  ];
  for (const { zone, grams, cents } of cases) {
    it(`${grams} g to ${zone} is ${cents} cents`, () => {
      assert.equal(postage(zone, grams).cents, cents);
    });
  }

  for (const grams of [undefined, "", "0", "-5", "1.5", "1e3", "20001"]) {
    it(`a parcel of ${grams} g is refused`, () => {
      assert.throws(() => postage("home", grams), { status: 400 });
    });
  }

  for (const zone of [undefined, "", "moon", "constructor"]) {
    it(`a parcel to ${zone} goes nowhere`, () => {
      assert.throws(() => postage(zone, "500"), { status: 404 });
    });
  }
});

describe("over HTTP", () => {
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

  it("a price is answered with 200, what is not there with 404", async () => {
    const price = await fetch(`${address}/postage?zone=near&grams=1200`);
    assert.deepEqual(await price.json(), { zone: "near", grams: 1200, cents: 1200 });
    assert.equal((await fetch(`${address}/nothing`)).status, 404);
  });
});
