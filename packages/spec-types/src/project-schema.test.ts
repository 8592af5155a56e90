import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { projectJsonSchema } from "./project-schema.ts";

const file = new URL("../../../docs/project.schema.json", import.meta.url);

describe("docs/project.schema.json", () => {
  // vitest -u writes it anew
  it("is what follows from the types of project.toml", async () => {
    await expect(`${JSON.stringify(projectJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(file.pathname);
  });

  it("chooses by the schema version, and has the keys of each", () => {
    const schema = JSON.parse(readFileSync(file, "utf8"));
    expect(schema.if.properties._.properties["schema-version"].const).toBe("0.3");
    const buildpacks = (branch: typeof schema) => branch.properties.io.properties.buildpacks.properties;
    expect(Object.keys(buildpacks(schema.then).group.items.properties)).toContain("exec-env");
    expect(Object.keys(buildpacks(schema.else.then).group.items.properties)).not.toContain("exec-env");
    expect(schema.else.else.properties.build.properties).toHaveProperty("buildpacks");
    const { not } = buildpacks(schema.then).group.items;
    expect(not.anyOf).toContainEqual({ required: ["version", "uri"] });
  });
});
