import express = require("express");

/** One stage of the Dockerfile that this service is shipped with. */
interface Stage {
  name: string;
  base: string;
  purpose: string;
  shipped: boolean;
}

const STAGES: readonly Stage[] = [
  { name: "builder", base: "node:20-alpine", purpose: "compile TypeScript to JavaScript", shipped: false },
  { name: "test", base: "builder", purpose: "run the tests on the compiled code", shipped: false },
  { name: "runtime", base: "node:20-alpine", purpose: "run the compiled code", shipped: true },
];

const STAGE_NAME = /^[a-z][a-z0-9_.-]*$/;
const WHOLE_NUMBER = /^\d{1,15}$/;

/** A mistake in the request: answered with its status and one sentence. */
export class RequestError extends Error {
  constructor(
    readonly status: 400 | 404,
    message: string,
  ) {
    super(message);
  }
}

export const api = express.Router();

// GET /stages, or /stages?shipped=true for what ends up in the image
api.get("/stages", (request, response) => {
  const { shipped } = request.query;
  if (shipped !== undefined && shipped !== "true" && shipped !== "false") {
    throw new RequestError(400, "shipped must be true or false");
  }
  response.json(STAGES.filter((stage) => shipped === undefined || stage.shipped === (shipped === "true")));
});

api.get("/stages/:name", (request, response) => {
  const { name } = request.params;
  if (!STAGE_NAME.test(name)) {
    throw new RequestError(400, "a stage name starts with a letter; then come a-z, 0-9, '_', '.' and '-'");
  }
  const found = STAGES.find((stage) => stage.name === name);
  if (found === undefined) {
    throw new RequestError(404, `there is no stage "${name}"`);
  }
  response.json(found);
});

// GET /reduction?before=190&after=138: the share by which an image became smaller
api.get("/reduction", (request, response) => {
  const before = wholeNumber(request.query.before, "before");
  const after = wholeNumber(request.query.after, "after");
  if (before === 0) {
    throw new RequestError(400, "before must be more than 0");
  }
  response.json({ before, after, reduction: 1 - after / before });
});

function wholeNumber(value: unknown, name: string): number {
  if (typeof value !== "string" || !WHOLE_NUMBER.test(value)) {
    throw new RequestError(400, `${name} must be a whole number of bytes`);
  }
  return Number(value);
}
