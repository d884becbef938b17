"use strict";

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");

const { NoPulse, pulse } = require("../dist/pulse.js");

describe("pulse", () => {
  it("is sixty beats a minute at one a second", () => {
    assert.deepEqual(pulse("1000,1000,1000"), { beats: 3, left_out: 0, beats_per_minute: 60 });
  });

  it("is rounded to a decimal", () => {
    assert.equal(pulse("812,790,805").beats_per_minute, 74.8);
  });

  it("leaves out what no heart does", () => {
    assert.deepEqual(pulse("1000,100,9000,1000"), { beats: 2, left_out: 2, beats_per_minute: 60 });
  });

  for (const text of [undefined, "", "fast", "812,", "-812", "812;790", ["812", "790"], "100,9000"]) {
    it(`is not to be read from ${JSON.stringify(text)}`, () => {
      assert.throws(() => pulse(text), NoPulse);
    });
  }
});
