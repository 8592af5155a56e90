import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Downloader } from "./downloader.ts";
import { Trust } from "./registry/trust.ts";

let server: Server;
let url: string;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const downloader = new Downloader({ trust: new Trust({}) });

beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const content = Buffer.alloc(300_000, "0123456789");

async function fetched(path = "/file", limit = 1e6): Promise<Buffer> {
  const download = await downloader.fetch(new URL(url + path), limit);
  const chunks: Uint8Array[] = [];
  for await (const chunk of download?.body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Sends the first bytes and cuts the connection. */
function cut(response: ServerResponse, bytes: number, headers: Record<string, string | number> = {}): void {
  response.writeHead(200, { "content-length": content.length, ...headers });
  response.write(content.subarray(0, bytes), () => response.destroy());
}

describe("Downloader", () => {
  it("continues where it was cut off", async () => {
    const ranges: (string | undefined)[] = [];
    answer = (request, response) => {
      ranges.push(request.headers.range);
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? Number.NaN);
      if (Number.isNaN(from)) return cut(response, 100_000, { etag: '"1"' });
      expect(request.headers["if-range"]).toBe('"1"');
      response.writeHead(206, { etag: '"1"' }).end(content.subarray(from));
    };
    expect((await fetched()).equals(content)).toBe(true);
    expect(ranges).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);
  });

  it("begins again where the server knows no ranges", async () => {
    let requests = 0;
    answer = (_request, response) => {
      if (requests++ === 0) cut(response, 100_000);
      else response.writeHead(200, { "content-length": content.length }).end(content);
    };
    expect((await fetched()).equals(content)).toBe(true);
  });

  it.each<[what: string, before: Record<string, string>, status: number, after: Record<string, string>]>([
    ["by their tags", { etag: '"1"' }, 200, { etag: '"2"' }],
    ["by when they were changed", { "last-modified": "Sat, 01 Jan 2000 00:00:00 GMT" }, 200, {}],
    [
      "by when they were changed, from a server that only looks at the range",
      { "last-modified": "then" },
      206,
      { "last-modified": "now" },
    ],
    ["by their sizes", {}, 206, { "content-range": "bytes 100000-200000/200001" }],
  ])("does not put two files together: tells them apart %s", async (_, before, status, after) => {
    let requests = 0;
    answer = (_request, response) => {
      if (requests++ === 0) cut(response, 100_000, before);
      else
        response
          .writeHead(status, status === 200 ? { ...after, "content-length": content.length } : after)
          .end(content);
    };
    await expect(fetched()).rejects.toMatchObject({ code: "corrupt" });
  });

  it("refuses more bytes than it was told to expect, whether or not the server says so", async () => {
    answer = (_request, response) => void response.writeHead(200, { "content-length": content.length }).end(content);
    await expect(fetched("/file", 1000)).rejects.toMatchObject({ code: "invalid" });
    answer = (_request, response) => {
      response.writeHead(200);
      const send = (): void => void (response.write(content) ? setImmediate(send) : response.once("drain", send));
      send();
    };
    await expect(fetched("/file", 1e6)).rejects.toMatchObject({ code: "invalid" });
  });

  it("asks whether a copy is still good", async () => {
    answer = (request, response) => {
      response.writeHead(request.headers["if-none-match"] === '"1"' ? 304 : 200, { etag: '"1"' }).end();
    };
    expect(await downloader.fetch(new URL(url), 10, '"1"')).toBeUndefined();
    expect((await downloader.fetch(new URL(url), 10, '"0"'))?.etag).toBe('"1"');
  });

  it("follows redirects, without taking a password along to another server", async () => {
    const other = createServer((request, response) => response.end(request.headers.authorization ?? "none"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`;
    answer = (_request, response) => void response.writeHead(302, { location: elsewhere }).end();
    const start = new URL(url);
    start.username = "me";
    start.password = "secret";
    expect(await downloader.text(start, 100)).toBe("none");
    other.close();
    answer = (_request, response) => void response.writeHead(302, { location: "file:///etc/passwd" }).end();
    await expect(fetched()).rejects.toMatchObject({ code: "refused" });
    answer = (_request, response) => void response.writeHead(302, { location: "/again" }).end();
    await expect(fetched()).rejects.toThrow("more than 10 redirects");
  });
});
