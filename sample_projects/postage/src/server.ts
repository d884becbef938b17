import express = require("express");
import { postage, RequestError, zones } from "./postage";

export const app = express();

app.disable("x-powered-by");

app.get("/health", (_request, response) => {
  response.json({ status: "ok" });
});

app.get("/zones", (_request, response) => {
  response.json(zones());
});

// GET /postage?zone=near&grams=1200
app.get("/postage", (request, response) => {
  response.json(postage(request.query.zone, request.query.grams));
});

app.use((request, _response) => {
  throw new RequestError(404, `there is nothing at ${request.path}`);
});

// Express knows an error handler by its four parameters, so the last one stays although it is not used.
const answerWithError: express.ErrorRequestHandler = (error, _request, response, _next) => {
  const status: number = error.status ?? 500;
  if (status >= 500) {
    console.error(error);
  }
  response.status(status).json({ error: status >= 500 ? "something went wrong here" : error.message });
};
app.use(answerWithError);

function listen(): void {
  const port = Number(process.env.PORT ?? 3000);
  const server = app.listen(port, () => {
    console.log(`postage listens on port ${port}`);
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      server.close(() => process.exit(0));
      setTimeout(() => server.closeAllConnections(), 2000).unref();
    });
  }
}

if (require.main === module) {
  listen();
}
