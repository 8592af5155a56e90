import { expect, it } from "vitest";
import { parseLocator } from "./locator.ts";

it("keeps the password of a URL out of what is wrong with it", () => {
  const parse = () =>
    parseLocator("https://me:secret@h.example:port/x", { isInBuilder: () => false, exists: () => false });
  expect(parse).toThrow('"https://h.example:port/x" is no URI');
});
