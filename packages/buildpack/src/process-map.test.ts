import { expect, it } from "vitest";
import { ProcessMap } from "./process-map.ts";

const process = (type: string, more: { readonly default?: boolean; readonly command?: readonly string[] } = {}) => ({
  type,
  command: ["x"],
  direct: true,
  default: false,
  buildpackId: "b",
  ...more,
});

it("lists types in order, the last definition of each, none marked as default", () => {
  const map = new ProcessMap();
  map.add([process("web", { default: true }), process("Task")]);
  map.add([process("a"), process("Task", { command: ["y"] })]);
  expect(map.list()).toEqual([process("Task", { command: ["y"] }), process("a"), process("web")]);
  expect(map.defaultType).toBe("web");
});

it("takes the last default", () => {
  const map = new ProcessMap();
  map.add([process("a", { default: true })]);
  expect(map.add([process("b", { default: true })])).toBeUndefined();
  expect(map.defaultType).toBe("b");
});

it("warns when the default loses its mark", () => {
  const map = new ProcessMap();
  map.add([process("web", { default: true })]);
  expect(map.add([process("web")])).toBe(
    "Warning: redefining the following default process type with a process not marked as default: web",
  );
  expect(map.defaultType).toBeUndefined();
  map.add([process("web", { default: true })]);
  expect(map.add([process("web"), process("web", { default: true })])).toBeUndefined();
});
