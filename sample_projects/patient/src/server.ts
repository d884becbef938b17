import express = require("express");
import { NoPulse, pulse } from "./pulse";

export const app = express();

app.disable("x-powered-by");

app.get("/health", (_request, response) => {
  response.json({ status: "ok" });
});

// GET /pulse?intervals=812,790,805: the milliseconds from beat to beat
app.get("/pulse", (request, response) => {
  response.json(pulse(request.query.intervals));
});

app.use((request, response) => {
  response.status(404).json({ error: `there is nothing at ${request.path}` });
});

// Express knows an error handler by its four parameters, so the last one stays although it is not used.
const answerWithError: express.ErrorRequestHandler = (error, _request, response, _next) => {
  const status: number = error instanceof NoPulse ? 400 : (error.status ?? 500);
  if (status >= 500) {
    console.error(error);
  }
  response.status(status).json({ error: status >= 500 ? "something went wrong here" : error.message });
};
app.use(answerWithError);

function listen(): void {
  const port = Number(process.env.PORT ?? 3000);
  const server = app.listen(port, () => {
    const uploads = process.env.UPLOAD_TOKEN ? "on" : "off, for there is no UPLOAD_TOKEN";
    console.log(`the patient listens on port ${port}; uploads are ${uploads}`);
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
