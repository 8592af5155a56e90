import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fingerprint } from "./fingerprint.ts";
import { RootFileSystem } from "./root-file-system.ts";

let directory: string;

const build = new Date("1980-01-01T00:00:01Z");

/** Makes the same root a second time, as another container of the image has it. */
function makeRoot(name: string, files: Readonly<Record<string, string>>): RootFileSystem {
  const root = join(directory, name);
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), contents);
    utimesSync(join(root, path), build, build);
  }
  return new RootFileSystem({ directory: root, ignored: ["/layers"], identity: "" });
}

const files = { "usr/bin/tool": "tool", "var/lib/dpkg/status": "Version: 1\n", "home/cnb/.profile": "" };
const of = (root: RootFileSystem) => fingerprint(root, ["/home/cnb"]);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "fingerprint-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

it("is the same for containers of the same image, whatever they hold of their own", async () => {
  const own = { ".dockerenv": "", "tmp/x": "", "home/cnb/.cache": "x", "layers/group.toml": "" };
  const first = await of(makeRoot("first", files));
  expect(first).toMatch(/^[0-9a-f]{64}$/);
  expect(await of(makeRoot("second", { ...files, ...own }))).toBe(first);
});

it.each<[string, () => RootFileSystem]>([
  ["another file", () => makeRoot("other", { ...files, "usr/bin/other": "" })],
  ["another size", () => makeRoot("other", { ...files, "usr/bin/tool": "tools" })],
  ["other packages", () => makeRoot("other", { ...files, "var/lib/dpkg/status": "Version: 2\n" })],
  [
    "another mode",
    () => {
      const root = makeRoot("other", files);
      chmodSync(join(directory, "other/usr/bin/tool"), 0o755);
      return root;
    },
  ],
  [
    "another time",
    () => {
      const root = makeRoot("other", files);
      utimesSync(join(directory, "other/usr/bin/tool"), 2, 2);
      return root;
    },
  ],
])("differs for %s", async (_what, other) => {
  expect(await of(other())).not.toBe(await of(makeRoot("first", files)));
});
