import { expect, it } from "vitest";
import { formatGroup, parseGroup } from "./group-toml.ts";

// As the reference lifecycle 0.21 writes it.
const GROUP = `[[group]]
  id = "a"
  version = "1"
  api = "0.10"
  homepage = "h"

[[group]]
  id = "b"
  version = "2"
  optional = true

[[group-extensions]]
  id = "e"
  version = "3"
  api = "0.9"
`;

it("reads and writes group.toml, in which extensions are optional without saying so", () => {
  const group = parseGroup(GROUP, "group.toml");
  expect(group).toEqual({
    group: [
      { id: "a", version: "1", api: "0.10", homepage: "h" },
      { id: "b", version: "2", optional: true },
    ],
    groupExtensions: [{ id: "e", version: "3", api: "0.9", extension: true, optional: true }],
  });
  expect(formatGroup(group)).toBe(GROUP);
});

it("names the place of a wrong type in group.toml", () => {
  expect(() => parseGroup('[[group]]\nid = "a"\n[[group]]\nid = 1', "/layers/group.toml")).toThrow(
    "/layers/group.toml:4:1: group[1].id: expected a string, found an integer",
  );
});
