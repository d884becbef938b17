import express = require("express");
import { api, RequestError } from "./routes/api";

export const app = express();

app.disable("x-powered-by");

app.get("/health", (_request, response) => {
  response.json({ status: "ok" });
});

app.use("/api", api);

app.use((request, _response) => {
  throw new RequestError(404, `there is nothing at ${request.path}`);
});

// Express knows an error handler by its four parameters, so the last one stays although it is not used.
const answerWithError: express.ErrorRequestHandler = (error, _request, response, _next) => {
  // Express gives a status to mistakes that it finds itself, such as a path that cannot be decoded.
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
    console.log("my-api listens on", server.address());
  });
  // As process 1 of a container node has no default answer to a signal: `docker stop` would wait 10 s, then kill it.
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
