import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Rate {
  first_kg_cents: number;
  next_kg_cents: number;
}

interface Rates {
  heaviest_g: number;
  zones: Record<string, Rate>;
}

export class RequestError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

// Read when the service starts, from the folder above dist: rates change more often than the program.
const rates: Rates = JSON.parse(readFileSync(join(__dirname, "..", "rates.json"), "utf8"));

export function zones(): string[] {
  return Object.keys(rates.zones);
}

// The first kilogram has its price, and so has each further one that is begun.
export function postage(zone: unknown, grams: unknown): { zone: string; grams: number; cents: number } {
  const weight = typeof grams === "string" && /^[1-9]\d{0,5}$/.test(grams) ? Number(grams) : 0;
  if (weight < 1) {
    throw new RequestError(400, "grams must be a whole number, more than 0");
  }
  if (weight > rates.heaviest_g) {
    throw new RequestError(400, `no parcel is heavier than ${rates.heaviest_g} g`);
  }
  if (typeof zone !== "string" || !Object.hasOwn(rates.zones, zone)) {
    throw new RequestError(404, `zone must be one of ${zones().join(", ")}`);
  }
  const rate = rates.zones[zone];
  const further = Math.ceil(weight / 1000) - 1;
  return { zone, grams: weight, cents: rate.first_kg_cents + further * rate.next_kg_cents };
}
