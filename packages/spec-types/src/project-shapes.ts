import type { Fields, Shape, TableShape } from "./schema.ts";

// What project.toml may hold, by schema version (extensions/project-descriptor.md at 0.1 and 0.2; 0.3 as the RFC
// "Execution Environments" has it). Types, reader and JSON Schema all follow from these.

const string = (doc: string, examples?: string[]) => ({ kind: "string", doc, ...(examples && { examples }) }) as const;
const strings = (doc: string, examples?: string[][]) =>
  ({ kind: "strings", doc, ...(examples && { examples }) }) as const;
const free = (doc: string) => ({ kind: "free", doc }) as const;

const licenses = {
  kind: "tables",
  doc: "Licenses of the project.",
  item: {
    kind: "table",
    doc: "A license; has a type, a uri, or both.",
    fields: {
      type: string("An SPDX license expression, or a name.", ["Apache-2.0"]),
      uri: string("Where the license's text is."),
    },
  },
} as const;

const projectFields = {
  id: string("A name for programs.", ["com.example.myservice"]),
  name: string("A name for people.", ["My Example Service"]),
  version: string("The project's version, any text."),
  authors: strings("Names or e-mail addresses."),
  "documentation-url": string("Where the documentation is."),
  "source-url": string("Where the source code is."),
  licenses,
} as const;

const include = strings("Patterns as in .gitignore: only matching files are built. Not together with exclude.", [
  ["cmd/", "go.mod", "*.go"],
]);
const exclude = strings("Patterns as in .gitignore: matching files are not built. Not together with include.", [
  ["spec/"],
]);
const filters = ["include", "exclude"] as const;
const builder = string("The builder image to build with.");

const execEnv = strings("Execution environments that this is for; all when absent.", [["production"], ["test"]]);

const groupFields = {
  id: string("A buildpack's ID.", ["example/java"]),
  version: string("A buildpack's version; the newest when absent. Not together with uri or script."),
  uri: string(
    "Where the buildpack is: a path, file:, http: or https: archive, docker: image, urn:cnb:builder:<id>, …",
    [
      "./buildpack",
      "https://example.com/buildpack.tgz#sha256=…",
      "docker://registry.example.com/buildpack",
      "urn:cnb:builder:example/java",
      "urn:cnb:registry:example/java@1.2.3",
      "from=builder",
    ],
  ),
  script: {
    kind: "table",
    doc: "A buildpack written right here. Not together with version or uri.",
    required: ["api", "inline"],
    fields: {
      api: string("The Buildpack API that the script is written for.", ["0.10"]),
      shell: string("What runs the script; /bin/sh when absent.", ["/bin/bash"]),
      inline: string("The script, run as bin/build in the application's directory; or ./<path> of a file of it."),
    },
  },
} as const;

const exclusive = ["version", "uri", "script"] as const;

const group = (doc: string) =>
  ({ kind: "tables", doc, item: { kind: "table", doc: "A buildpack.", fields: groupFields, exclusive } }) as const;
const groupWithExecEnv = (doc: string) =>
  ({
    kind: "tables",
    doc,
    item: { kind: "table", doc: "A buildpack.", fields: { ...groupFields, "exec-env": execEnv }, exclusive },
  }) as const;

const envFields = { name: string("The variable's name."), value: string("The variable's value.") } as const;
const envDoc = "Environment variables of the build.";
const env = {
  kind: "tables",
  doc: envDoc,
  item: { kind: "table", doc: "A variable.", required: ["name"], fields: envFields },
} as const;
const envWithExecEnv = {
  kind: "tables",
  doc: envDoc,
  item: { kind: "table", doc: "A variable.", required: ["name"], fields: { ...envFields, "exec-env": execEnv } },
} as const;

const groupDoc = "The buildpacks to build with, instead of the builder's order.";
const preDoc = "Buildpacks to put before each group of the builder's order.";
const postDoc = "Buildpacks to put after each group of the builder's order.";

const lifecycle = {
  kind: "table",
  doc: "What the lifecycle is told unless the platform tells it. Read by this lifecycle only.",
  fields: {
    "run-image": string("The image that the application runs on."),
    "log-level": { kind: "string", doc: "How much the phases log.", oneOf: ["debug", "info", "warn", "error"] },
    "process-type": string("The process that the image starts by default."),
  },
} as const;

export const PROJECT_0_1 = {
  kind: "table",
  doc: "project.toml, schema version 0.1",
  fields: {
    project: { kind: "table", doc: "The project.", fields: projectFields },
    build: {
      kind: "table",
      doc: "How the project is built.",
      exclusive: filters,
      fields: { builder, include, exclude, buildpacks: group(groupDoc), env },
    },
    metadata: free("Whatever a platform or its user wants to note."),
  },
} as const satisfies TableShape;

const underscore = {
  kind: "table",
  doc: "The project.",
  required: ["schema-version"],
  fields: {
    "schema-version": {
      kind: "string",
      doc: "The version of this file's schema.",
      oneOf: ["0.1", "0.2", "0.3"],
    },
    ...projectFields,
    metadata: free("Whatever a platform or its user wants to note."),
  },
} as const;

const additions = <G extends Shape>(doc: string, entries: G) =>
  ({ kind: "table", doc, fields: { group: entries } }) as const;

/** What the later versions have in common, with the shapes of a group and of the environment that each has. */
const buildpacksFields = <G extends Shape, E extends Shape>(groupOf: (doc: string) => G, variables: E) =>
  ({
    "schema-version": string("The version of this table's schema."),
    builder,
    include,
    exclude,
    group: groupOf(groupDoc),
    pre: additions(preDoc, groupOf(preDoc)),
    post: additions(postDoc, groupOf(postDoc)),
    build: { kind: "table", doc: "The build.", fields: { env: variables } },
    lifecycle,
  }) as const;

const project = <F extends Fields>(version: string, fields: F) =>
  ({
    kind: "table",
    doc: `project.toml, schema version ${version}`,
    fields: {
      _: underscore,
      io: {
        kind: "table",
        doc: "Tables of the domain io.",
        fields: { buildpacks: { kind: "table", doc: "How the project is built.", exclusive: filters, fields } },
      },
    },
  }) as const;

export const PROJECT_0_2 = project("0.2", {
  ...buildpacksFields(group, env),
  env: { kind: "table", doc: "Older place of build.env.", fields: { build: env } } as const,
});

export const PROJECT_0_3 = project("0.3", buildpacksFields(groupWithExecEnv, envWithExecEnv));
