import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CASES } from "./test-cases.ts";
import { Workspace } from "./test-workspace.ts";
import { SCRATCH_PREFIX } from "./transaction.ts";

let server: Server;
let url: string;
let archive: Buffer;
let workspace: Workspace;

beforeAll(async () => {
  const source = new Workspace();
  archive = readFileSync(source.archiveBuildpack("bp.tgz", "x/y@1.2.3"));
  source.remove();
  server = createServer((request, response) => {
    if (request.url === "/bp.tgz") response.end(archive);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => void server.close());

beforeEach(() => {
  workspace = new Workspace();
});

afterEach(() => workspace.remove());

describe("the matrix of docs/preparer.md", () => {
  it.each(CASES.map((each) => [each.id, each.given, each.result, each] as const))(
    "%s %s: %s",
    async (_id, _given, _result, { toml, files = [], setUp, options, expect: expected }) => {
      const sha = createHash("sha256").update(archive).digest("hex");
      if (toml !== undefined) {
        const text = toml.replaceAll("@URL@", url).replaceAll("@DIR@", workspace.dir).replaceAll("@SHA@", sha);
        workspace.write("app/project.toml", text);
      }
      for (const file of files) workspace.write(`app/${file}`, file);
      setUp?.(workspace);
      const before = workspace.files(workspace.dir);
      const outcome = await workspace.prepare(options?.(workspace));
      const context = [outcome.error?.message, ...outcome.log].join("\n");
      if (expected.error !== undefined) {
        const [exitCode, message] = expected.error;
        expect(outcome.error?.exitCode, context).toBe(exitCode);
        expect(outcome.error?.message).toContain(message);
        expect(workspace.files(workspace.dir)).toEqual(before);
        return;
      }
      expect(outcome.error, context).toBeUndefined();
      expect(workspace.files(workspace.dir).filter((path) => path.includes(SCRATCH_PREFIX))).toEqual([]);
      if (expected.order !== undefined) expect(outcome.order).toBe(expected.order ?? undefined);
      if (expected.files !== undefined) expect(workspace.files()).toEqual(expected.files);
      if (expected.log !== undefined) expect(outcome.log.join("\n")).toContain(expected.log);
      else expect(outcome.log.filter((line) => line.startsWith("WARN: - "))).toEqual([]);
      for (const [name, value] of Object.entries(expected.env ?? {})) {
        expect(workspace.env(name)).toBe(value ?? undefined);
      }
      const [path, content] = expected.file ?? [];
      if (path !== undefined && content !== null) {
        expect(readFileSync(join(workspace.dir, path), "utf8")).toContain(content);
      } else if (path !== undefined) expect(existsSync(join(workspace.dir, path))).toBe(false);
    },
  );
});

it("docs/preparer.md has every case, and no others", () => {
  const text = readFileSync(new URL("../../../docs/preparer.md", import.meta.url), "utf8");
  const written = [...text.matchAll(/^\| ([SOBIFE]\d\d) +\| (.*?) +\| (.*?) +\|$/gm)].map(([, ...cells]) => cells);
  expect(written).toEqual(CASES.map(({ id, given, result }) => [id, given, result]));
});
