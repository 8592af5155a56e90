import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { basicCredentials } from "../credentials.ts";
import { RegistryClient } from "./client.ts";
import { discard, HttpClient } from "./http.ts";
import { Trust } from "./trust.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** @returns the server's host and port */
async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function clientOf(registry: string, signal?: AbortSignal): RegistryClient {
  return new RegistryClient(registry, {
    http: new HttpClient({ trust: new Trust({}), verify: true }),
    mayBePlain: true,
    keychain: { resolve: () => basicCredentials("me", "secret") },
    warn: () => {},
    signal,
  });
}

function challenge(response: ServerResponse, host: string | undefined): void {
  response.writeHead(401, { "www-authenticate": `Bearer realm="http://${host}/token",service="registry"` }).end();
}

const blob = { target: "/v2/team/app/blobs/x", repository: "team/app", actions: "pull", expect: [200] } as const;

describe("registry client", () => {
  test("does not ask for tokens where a redirect has led to", async () => {
    const seen: string[] = [];
    const foreign = await listen(({ url, headers }, response) => {
      seen.push(`${url} ${headers.authorization}`);
      challenge(response, foreign);
    });
    const registry = await listen(({ url = "", headers }, response) => {
      if (url.startsWith("/token")) response.end('{"token":"for-registry"}');
      else if (headers.authorization === undefined) challenge(response, headers.host);
      else response.writeHead(307, { location: `http://${foreign}/blob` }).end();
    });
    await expect(clientOf(registry).request({ method: "GET", ...blob })).rejects.toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining(`http://${foreign}/blob`),
    });
    expect(seen).toEqual(["/blob undefined"]);
  });

  test("shows its credentials where a token server gives identity tokens and does not take them", async () => {
    const asked: string[] = [];
    const registry = await listen(({ method, url = "", headers }, response) => {
      if (!url.startsWith("/token")) {
        if (headers.authorization === undefined) challenge(response, headers.host);
        else response.end();
        return;
      }
      asked.push(`${method} ${headers.authorization !== undefined}`);
      if (method === "POST") response.writeHead(404).end();
      else response.end('{"token":"for-registry","refresh_token":"an-identity"}');
    });
    const client = clientOf(registry);
    for (const actions of ["pull", "push,pull"] as const) {
      discard(await client.request({ method: "GET", ...blob, actions }));
    }
    expect(asked).toEqual(["GET true", "POST false", "GET true"]);
  });

  test("stops while it waits for a token", async () => {
    const stop = new AbortController();
    const registry = await listen(({ url = "", headers }, response) => {
      if (url.startsWith("/token")) stop.abort(new Error("stopped"));
      else challenge(response, headers.host);
    });
    await expect(clientOf(registry, stop.signal).request({ method: "GET", ...blob })).rejects.toThrow("stopped");
  });
});
