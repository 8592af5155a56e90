import express from "express";

const app = express();

app.get("/", (_request, response) => {
  response.type("text/plain").send(`Hello from Express on Node.js ${process.version}\n`);
});

const server = app.listen(Number(process.env.PORT ?? 8080), (error) => {
  if (error) throw error;
  console.log(`listening on port ${server.address().port}`);
});

process.once("SIGTERM", () => server.close());
