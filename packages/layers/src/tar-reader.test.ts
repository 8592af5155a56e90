import { describe, expect, it } from "vitest";
import { toBytePath } from "./byte-path.ts";
import { encodeHeader } from "./tar-header.ts";
import { type ReadEntry, TarReader } from "./tar-reader.ts";

/** An empty file's header, preceded by the extended one that names the attribute. */
function withAttribute(name: string): Buffer {
  const empty = {
    type: "0",
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    linkName: "",
    deviceMajor: 0,
    deviceMinor: 0,
  } as const;
  return encodeHeader({ ...empty, name: toBytePath("file"), xattrs: new Map([[name, "value"]]) });
}

describe("tar reader", () => {
  it("takes the last of several extended headers, so that they cannot pile up", () => {
    const entries: ReadEntry[] = [];
    const reader = new TarReader({ begin: (entry) => entries.push(entry), contents: () => {}, end: () => {} });
    for (let index = 0; index < 100; index++) reader.write(withAttribute(`user.${index}`).subarray(0, -512));
    reader.write(withAttribute("user.last"));
    reader.write(Buffer.alloc(1024));
    reader.finish();
    expect(entries.map(({ name, xattrs }) => [name, [...xattrs.keys()]])).toEqual([["file", ["user.last"]]]);
  });
});
