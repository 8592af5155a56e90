import { PROJECT_0_1, PROJECT_0_2, PROJECT_0_3 } from "./project-shapes.ts";
import { type Json, jsonSchemaOf, type TableShape } from "./schema.ts";

/**
 * The JSON Schema (draft 7) of project.toml, for editors: which of the three schema versions holds is decided by
 * `_.schema-version`. Top-level tables of other domains are free.
 */
export function projectJsonSchema(): Json {
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "project.toml",
    description: "Cloud Native Buildpacks project descriptor, schema versions 0.1, 0.2 and 0.3",
    ...when("0.3", PROJECT_0_3, when("0.2", PROJECT_0_2, open(PROJECT_0_1))),
  };
}

function when(version: string, shape: TableShape, otherwise: Json): { readonly [key: string]: Json } {
  const versioned = { properties: { "schema-version": { const: version } }, required: ["schema-version"] };
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it that
  return { if: { properties: { _: versioned }, required: ["_"] }, then: open(shape), else: otherwise };
}

/** Other tables than those of the shape are nobody's business here; within `io`, other domains. */
function open(shape: TableShape): { readonly [key: string]: Json } {
  const { additionalProperties: _, ...schema } = jsonSchemaOf(shape);
  const { properties = {} } = schema;
  if (typeof properties !== "object" || properties === null || !("io" in properties)) return schema;
  const { additionalProperties: __, ...io } = properties.io as { [key: string]: Json };
  return { ...schema, properties: { ...properties, io } };
}
