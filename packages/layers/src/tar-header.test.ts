import { describe, expect, it } from "vitest";
import { toBytePath } from "./byte-path.ts";
import { encodeHeader, type TarHeader } from "./tar-header.ts";

function header(values: Partial<Omit<TarHeader, "name">> & { name: string }): Buffer {
  const defaults = { type: "0", mode: 0o644, uid: 0, gid: 0, size: 0, linkName: "", deviceMajor: 0, deviceMinor: 0 };
  return encodeHeader({ ...defaults, ...values, name: toBytePath(values.name) } as TarHeader);
}

/** The text of a field up to its first NUL. */
function text(block: Buffer, offset: number, length: number): string {
  return block.toString("latin1", offset, offset + length).replace(/\0.*/s, "");
}

describe("header of a layer's entry", () => {
  it("is one USTAR block while every field fits", () => {
    const block = header({ name: "/layers/bp/a", mode: 0o4755, uid: 2097151, gid: 0, size: 8 ** 11 - 1 });
    expect(block.length).toBe(512);
    expect(text(block, 0, 100)).toBe("/layers/bp/a");
    expect(block.toString("latin1", 100, 136)).toBe("0004755\x007777777\x000000000\x0077777777777\x00");
    expect(block.toString("latin1", 136, 148)).toBe("02263523001\x00");
    expect(block.toString("latin1", 257, 265)).toBe("ustar\x0000");
    expect(block.subarray(265, 329)).toEqual(Buffer.alloc(64));
  });

  it("splits a name past 100 bytes at the last slash within the prefix", () => {
    const block = header({ name: `/${"d".repeat(80)}/${"e".repeat(60)}/${"f".repeat(40)}` });
    expect(block.length).toBe(512);
    expect(text(block, 345, 155)).toBe(`/${"d".repeat(80)}/${"e".repeat(60)}`);
    expect(text(block, 0, 100)).toBe("f".repeat(40));
  });

  it("moves a name that has no place to split into a PAX record, and cuts it in the main header", () => {
    const name = `/d/${"f".repeat(150)}`;
    const bytes = header({ name });
    expect(bytes.length).toBe(3 * 512);
    expect(text(bytes, 0, 100)).toBe(`/d/PaxHeaders.0/${"f".repeat(84)}`);
    expect(text(bytes, 156, 1)).toBe("x");
    expect(text(bytes, 512, 512)).toBe(`163 path=${name}\n`);
    expect(text(bytes, 1024, 100)).toBe(name.slice(0, 100));
    expect(text(bytes, 1024 + 345, 155)).toBe("");
  });

  it("cuts off a slash that would end the cut name", () => {
    const bytes = header({ name: `/${"d".repeat(98)}/${"f".repeat(101)}` });
    expect(text(bytes, 1024, 100)).toBe(`/${"d".repeat(98)}`);
  });

  it("counts the record's own digits where they add one", () => {
    const longLink = (length: number) => header({ name: "/a", type: "2", linkName: "\xe9".repeat(length) });
    expect(text(longLink(86), 512, 512)).toMatch(/^99 linkpath=/);
    expect(text(longLink(87), 512, 512)).toMatch(/^101 linkpath=/);
  });

  it("drops what is not ASCII from the main header and keeps the bytes in the record", () => {
    const bytes = header({ name: "/naïve" });
    expect(text(bytes, 0, 100)).toBe("/PaxHeaders.0/nave");
    expect(text(bytes, 512, 512)).toBe(Buffer.from("16 path=/naïve\n").toString("latin1"));
    expect(text(bytes, 1024, 100)).toBe("/nave");
  });

  it("sorts records by key and adds a long path that USTAR could hold alone", () => {
    const name = `/${"d".repeat(80)}/${"f".repeat(80)}`;
    const bytes = header({ name, uid: 2097152, gid: 3000000, size: 8 ** 11 });
    const records = text(bytes, 512, 512).split("\n");
    expect(records.map((record) => record.replace(/^\d+ /, "").split("=")[0])).toEqual([
      "gid",
      "path",
      "size",
      "uid",
      "",
    ]);
    const main = bytes.subarray(1024);
    expect(main.toString("latin1", 108, 136)).toBe("0000000\x000000000\x0000000000000\x00");
    expect(text(main, 0, 100)).toBe(name.slice(0, 100));
  });
});
