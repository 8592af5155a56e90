import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A web server on 127.0.0.1 for files in memory. */
export interface FileServer {
  readonly url: string;
  /** By path, with its slash; may be changed while it runs. */
  readonly files: Map<string, Buffer | string>;
  /** Paths that were asked for, oldest first. */
  readonly requests: string[];
  /** How many bytes of an answer are sent before its connection is cut, once; undefined: all. */
  cutAfter: number | undefined;
  stop(): Promise<void>;
}

/** Starts the server. It knows entity tags and ranges. */
export async function startFileServer(): Promise<FileServer> {
  const files = new Map<string, Buffer | string>();
  const requests: string[] = [];
  const state = { cutAfter: undefined as number | undefined };
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    requests.push(path);
    const file = files.get(path);
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    const content = Buffer.from(file);
    const etag = `"${content.length}-${path}"`;
    if (request.headers["if-none-match"] === etag) {
      response.writeHead(304).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    const rest = content.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { "content-length": rest.length, etag });
    const cut = state.cutAfter;
    if (cut === undefined) response.end(rest);
    else {
      state.cutAfter = undefined;
      response.write(rest.subarray(0, cut), () => response.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    requests,
    get cutAfter() {
      return state.cutAfter;
    },
    set cutAfter(bytes) {
      state.cutAfter = bytes;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
