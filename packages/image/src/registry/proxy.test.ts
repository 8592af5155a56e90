import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { discard, HttpClient, readBody } from "./http.ts";
import { Proxies } from "./proxy.ts";
import { Trust } from "./trust.ts";

const direct = undefined;
const proxy = "http://proxy.example:3128/";
const settings = { HTTP_PROXY: proxy, https_proxy: "proxy.example:3129" };

describe("which requests go through a proxy", () => {
  test.each<[noProxy: string, url: string, expected: string | undefined]>([
    ["", "http://a.io/", proxy],
    ["", "https://a.io/", "http://proxy.example:3129/"],
    ["", "http://localhost:5000/", direct],
    ["", "http://127.1.2.3/", direct],
    ["", "http://[::1]:5000/", direct],
    ["", "http://10.0.0.1/", proxy],
    ["*", "http://a.io/", direct],
    ["b.io, A.io", "http://a.io/", direct],
    ["a.io", "http://x.a.io/", direct],
    ["a.io", "http://xa.io/", proxy],
    [".a.io", "http://a.io/", proxy],
    [".a.io", "http://x.a.io/", direct],
    ["*.a.io", "http://a.io/", proxy],
    ["*.a.io", "http://x.a.io/", direct],
    ["a.io:80", "http://a.io/", direct],
    ["a.io:443", "https://a.io/", direct],
    ["a.io:5000", "http://a.io/", proxy],
    ["a.io:5000", "http://a.io:5000/", direct],
    ["10.0.0.1", "http://10.0.0.1:5000/", direct],
    ["10.0.0.1:80", "http://10.0.0.1:5000/", proxy],
    ["10.0.0.0/8", "http://10.1.2.3/", direct],
    ["10.0.0.0/8", "http://11.1.2.3/", proxy],
    ["10.0.0.0/99", "http://10.1.2.3/", proxy],
    ["fd00::/8", "http://[fd12::1]/", direct],
    ["[fd00::1]:80", "http://[fd00::1]/", direct],
    ["fd00::1", "http://[fd00::1]:5000/", direct],
    [" ,,", "http://a.io/", proxy],
  ])("NO_PROXY=%s %s -> %s", (noProxy, url, expected) => {
    for (const name of ["NO_PROXY", "no_proxy"]) {
      expect(new Proxies({ ...settings, [name]: noProxy }).find(new URL(url))?.href).toBe(expected);
    }
  });

  test("none without the variables", () => {
    expect(new Proxies({ HTTP_PROXY: "", NO_PROXY: "a.io" }).find(new URL("https://b.io"))).toBeUndefined();
  });

  test.each(["socks5://user:secret@proxy:1080", "http://me:secret%@proxy", "http://"])(
    "an address that is none: %s",
    (HTTP_PROXY) => {
      const find = () => new Proxies({ HTTP_PROXY }).find(new URL("http://a.io"));
      expect(find).toThrow(/^HTTP_PROXY names no proxy/);
      expect(find).not.toThrow(/secret/);
    },
  );

  test("the header of a client of a CGI program is not taken for a setting", () => {
    const proxies = new Proxies({ ...settings, REQUEST_METHOD: "GET" });
    expect(() => proxies.find(new URL("http://a.io"))).toThrow(/CGI/);
    expect(proxies.find(new URL("https://a.io"))?.host).toBe("proxy.example:3129");
  });
});

describe("a proxy", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
  });

  async function listen(server: Server): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }

  const client = (env: Record<string, string>) =>
    new HttpClient({ trust: new Trust({}), verify: false, proxies: new Proxies(env) });

  test("is told the whole address, and who asks", async () => {
    const seen: unknown[] = [];
    const port = await listen(
      createServer(({ method, url, headers: { host, "proxy-authorization": account } }, response) => {
        seen.push({ method, url, host, account });
        response.end("through the proxy");
      }),
    );
    const http = client({ HTTP_PROXY: `http://user:p%40ss@127.0.0.1:${port}` });
    const response = await http.send({ method: "PUT", url: new URL("http://a.io/v2/?x=1"), body: Buffer.from("body") });
    expect(`${await readBody(response, 100)}`).toBe("through the proxy");
    const account = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
    expect(seen).toEqual([{ method: "PUT", url: "http://a.io/v2/?x=1", host: "a.io", account }]);
    await http.close();
  });

  test("that does not connect is named, with its reason", async () => {
    const server = createServer();
    const targets: string[] = [];
    server.on("connect", ({ url }, socket) => {
      targets.push(url ?? "");
      socket.end("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    });
    const port = await listen(server);
    const http = client({ HTTPS_PROXY: `http://127.0.0.1:${port}` });
    await expect(http.send({ method: "GET", url: new URL("https://a.io/v2/") })).rejects.toMatchObject({
      message: `proxy http://127.0.0.1:${port} does not connect to a.io:443: 407 Proxy Authentication Required`,
      code: "unreachable",
      transient: false,
    });
    expect(targets).toEqual(["a.io:443"]);
  });

  test("is asked for an IPv6 address in brackets", async () => {
    const server = createServer();
    const targets: string[] = [];
    server.on("connect", ({ url }, socket) => {
      targets.push(url ?? "");
      socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    });
    const http = client({ HTTPS_PROXY: `http://127.0.0.1:${await listen(server)}` });
    await expect(http.send({ method: "GET", url: new URL("https://[fd00::1]/v2/") })).rejects.toThrow("403 Forbidden");
    expect(targets).toEqual(["[fd00::1]:443"]);
  });

  test("that leads nowhere is not waited for when the request is given up", async () => {
    const server = createServer();
    const connected = new Promise<void>((resolve) => {
      server.on("connect", (_, socket) => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        resolve();
      });
    });
    const http = client({ HTTPS_PROXY: `http://127.0.0.1:${await listen(server)}` });
    const stop = new AbortController();
    const body = async function* () {
      for (;;) yield Buffer.alloc(64 * 1024);
    };
    const url = new URL("https://a.io/v2/");
    const sending = http.send({ method: "PATCH", url, body, signal: stop.signal });
    await connected;
    stop.abort(new Error("stopped"));
    await expect(sending).rejects.toThrow("stopped");
  });

  test("that is not there may come back", async () => {
    const port = await listen(createServer());
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    const http = client({ HTTPS_PROXY: `127.0.0.1:${port}` });
    await expect(http.send({ method: "GET", url: new URL("https://a.io/") })).rejects.toMatchObject({
      message: expect.stringContaining("ECONNREFUSED"),
      transient: true,
    });
  });

  test("of a connection that stays silent, the request is given up", async () => {
    const port = await listen(createServer(() => {}));
    const http = new HttpClient({ trust: new Trust({}), verify: true, idleTimeout: 100 });
    const url = new URL(`http://127.0.0.1:${port}/`);
    await expect(http.send({ method: "GET", url })).rejects.toMatchObject({
      message: `GET http://127.0.0.1:${port}/: no answer in 0.1 s`,
      transient: true,
    });
    const stop = new AbortController();
    const waiting = http.send({ method: "GET", url, signal: stop.signal });
    stop.abort(new Error("stopped"));
    await expect(waiting).rejects.toThrow("stopped");
  });

  test("an answer that nobody wants is not read without end", async () => {
    let ended = false;
    const server = createServer((_, response) => {
      response.once("close", () => {
        ended = true;
      });
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on("drain", more);
      more();
    });
    const url = new URL(`http://127.0.0.1:${await listen(server)}/`);
    const http = new HttpClient({ trust: new Trust({}), verify: true });
    discard(await http.send({ method: "GET", url }));
    await expect.poll(() => ended).toBe(true);
  });
});
