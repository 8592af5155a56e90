import { expect, it } from "vitest";
import { lineOutput } from "./live-output.ts";

function linesOf(...chunks: string[]): string[] {
  const lines: string[] = [];
  const output = lineOutput((line) => lines.push(line));
  for (const chunk of chunks) output.write(Buffer.from(chunk));
  output.end();
  return lines;
}

it("hands on whole lines however they were cut, and a last one without a line feed", () => {
  expect(linesOf("one\nt", "wo\n\nthr", "ee")).toEqual(["one", "two", "", "three"]);
});

it("keeps a letter whole that was cut", () => {
  const bytes = Buffer.from("é\n");
  const lines: string[] = [];
  const output = lineOutput((line) => lines.push(line));
  output.write(bytes.subarray(0, 1));
  output.write(bytes.subarray(1));
  output.end();
  expect(lines).toEqual(["é"]);
});

it("leaves out colours", () => {
  expect(linesOf("\u001b[31mred\u001b[0m\n")).toEqual(["red"]);
});

it("does not collect a line without an end", () => {
  const lines = linesOf("x".repeat(100_000), "x".repeat(100_000));
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.join("")).toHaveLength(200_000);
});
