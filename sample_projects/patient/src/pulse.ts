import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Between which two intervals, in milliseconds, two beats can follow each other. */
interface Limits {
  shortest_ms: number;
  longest_ms: number;
}

/** What a series of intervals says. */
export interface Pulse {
  beats: number;
  left_out: number;
  beats_per_minute: number;
}

/** A series that no pulse can be read from, and why. */
export class NoPulse extends Error {}

// Read once, at the start: it stands beside dist/, where people change it without compiling anything.
const limits: Limits = JSON.parse(readFileSync(join(__dirname, "..", "limits.json"), "utf8"));

const INTERVALS = /^\d{1,6}(,\d{1,6}){0,999}$/;

/** Read a pulse from the intervals between beats, in milliseconds, joined by commas; impossible ones are left out. */
export function pulse(text: unknown): Pulse {
  if (typeof text !== "string" || !INTERVALS.test(text)) {
    throw new NoPulse("intervals must be whole milliseconds, joined by commas");
  }
  const all = text.split(",").map(Number);
  const kept = all.filter((one) => one >= limits.shortest_ms && one <= limits.longest_ms);
  if (kept.length === 0) {
    throw new NoPulse(`no interval is between ${limits.shortest_ms} and ${limits.longest_ms} ms`);
  }
  const sum = kept.reduce((total, one) => total + one, 0);
  return {
    beats: kept.length,
    left_out: all.length - kept.length,
    beats_per_minute: Math.round((600_000 * kept.length) / sum) / 10,
  };
}
