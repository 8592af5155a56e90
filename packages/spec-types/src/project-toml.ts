import { type Reader, readToml } from "./decode.ts";
import { PROJECT_0_1, PROJECT_0_2, PROJECT_0_3 } from "./project-shapes.ts";
import { readShape, type Shaped } from "./schema.ts";
import type { PathStep } from "./toml-scanner.ts";

export const PROJECT_SCHEMA_VERSIONS = ["0.1", "0.2", "0.3"] as const;
export type ProjectSchemaVersion = (typeof PROJECT_SCHEMA_VERSIONS)[number];

/** A buildpack written in project.toml itself. */
export interface InlineScript {
  readonly api: string;
  /** What stands after `#!`. */
  readonly shell?: string;
  /** The script, or `./<path>` of a file of the application. */
  readonly inline: string;
}

/** A buildpack as project.toml names it: by at most one of `version`, `uri` and `script`. */
export interface ProjectBuildpack {
  readonly id?: string;
  readonly version?: string;
  readonly uri?: string;
  readonly script?: InlineScript;
  /** Execution environments it is for; empty or with `*` means all. */
  readonly execEnv: readonly string[];
  /** Where it stands in the file, for messages: `io.buildpacks.group[2]`. */
  readonly place: string;
}

export interface ProjectEnvVar {
  readonly name: string;
  readonly value: string;
  readonly execEnv: readonly string[];
}

/** What project.toml says, whatever schema version it is written in. */
export interface ProjectDescriptor {
  readonly schemaVersion: ProjectSchemaVersion;
  readonly project: {
    readonly id?: string;
    readonly name?: string;
    readonly version?: string;
    readonly sourceUrl?: string;
    readonly documentationUrl?: string;
  };
  readonly builder?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly group: readonly ProjectBuildpack[];
  readonly pre: readonly ProjectBuildpack[];
  readonly post: readonly ProjectBuildpack[];
  readonly env: readonly ProjectEnvVar[];
  /** What this lifecycle is told unless the platform tells it. */
  readonly lifecycle: { readonly runImage?: string; readonly logLevel?: string; readonly processType?: string };
}

/** A descriptor, and what its writer should know of it. */
export interface ReadProject {
  readonly descriptor: ProjectDescriptor;
  /** Keys that the schema version does not have, as dotted paths; they have no effect. */
  readonly unknownKeys: readonly string[];
  /** Whether no schema version is given, and 0.1 was assumed. */
  readonly assumedVersion: boolean;
}

/**
 * Reads project.toml in schema version 0.1, 0.2 or 0.3 (extensions/project-descriptor.md).
 *
 * @throws FormatError with line and column: for a schema version that is not known, `include` beside `exclude`, more
 *   than one of `version`, `uri` and `script`, a buildpack without any of these and an `id`, a script without `api` or
 *   `inline`, a license without `type` and `uri`, a variable's name that cannot be one
 */
export function parseProject(text: string, file: string): ReadProject {
  const reader = readToml(text, file);
  const given = reader.table("_").optionalString("schema-version");
  const schemaVersion = PROJECT_SCHEMA_VERSIONS.find((version) => version === (given ?? "0.1"));
  if (schemaVersion === undefined) {
    const hint = `this lifecycle knows ${PROJECT_SCHEMA_VERSIONS.join(", ")}`;
    throw reader.error(`unknown schema version ${JSON.stringify(given)}`, ["_", "schema-version"], hint);
  }
  const unknown: string[] = [];
  const descriptor = descriptorOf(reader, schemaVersion, unknown);
  return { descriptor, unknownKeys: unknown.filter(isOurs(schemaVersion)), assumedVersion: given === undefined };
}

/** Tables of other domains are not ours to know. */
function isOurs(version: ProjectSchemaVersion): (key: string) => boolean {
  const ours = version === "0.1" ? /^(project|build|io\.buildpacks)\b/ : /^(_|io\.buildpacks)\b/;
  return (key) => ours.test(key);
}

function descriptorOf(reader: Reader, version: ProjectSchemaVersion, unknown: string[]): ProjectDescriptor {
  if (version === "0.1") {
    const { project, build } = readShape(reader, PROJECT_0_1, unknown);
    // written for 0.2, but without saying so
    if (reader.table("io").has("buildpacks")) unknown.push("io.buildpacks");
    checkLicenses(reader, project?.licenses, ["project", "licenses"]);
    checkFilter(reader, build, ["build"]);
    return {
      schemaVersion: version,
      project: projectOf(project),
      ...filterOf(build),
      group: buildpacksOf(reader, build?.buildpacks, ["build", "buildpacks"]),
      pre: [],
      post: [],
      env: envOf(reader, build?.env, ["build", "env"]),
      lifecycle: {},
    };
  }
  const { _, io } =
    version === "0.2" ? readShape(reader, PROJECT_0_2, unknown) : readShape(reader, PROJECT_0_3, unknown);
  const buildpacks = io?.buildpacks;
  const place = ["io", "buildpacks"];
  const older = buildpacks !== undefined && "env" in buildpacks ? buildpacks.env?.build : undefined;
  checkLicenses(reader, _?.licenses, ["_", "licenses"]);
  checkFilter(reader, buildpacks, place);
  const { "run-image": runImage, "log-level": logLevel, "process-type": processType } = buildpacks?.lifecycle ?? {};
  if (logLevel !== undefined && !/^(debug|info|warn|warning|error|fatal)$/.test(logLevel)) {
    const path = [...place, "lifecycle", "log-level"];
    throw reader.error(`unknown log level ${JSON.stringify(logLevel)}`, path, "use debug, info, warn or error");
  }
  return {
    schemaVersion: version,
    project: projectOf(_),
    ...filterOf(buildpacks),
    group: buildpacksOf(reader, buildpacks?.group, [...place, "group"]),
    pre: buildpacksOf(reader, buildpacks?.pre?.group, [...place, "pre", "group"]),
    post: buildpacksOf(reader, buildpacks?.post?.group, [...place, "post", "group"]),
    env: envOf(
      reader,
      buildpacks?.build?.env ?? older,
      buildpacks?.build?.env === undefined ? [...place, "env", "build"] : [...place, "build", "env"],
    ),
    lifecycle: {
      ...(runImage !== undefined && { runImage }),
      ...(logLevel !== undefined && { logLevel }),
      ...(processType !== undefined && { processType }),
    },
  };
}

type RawProject = Shaped<typeof PROJECT_0_1.fields.project> | undefined;
type RawFilter = Pick<Shaped<typeof PROJECT_0_1.fields.build>, "builder" | "include" | "exclude"> | undefined;
type RawBuildpacks = Shaped<typeof PROJECT_0_3.fields.io.fields.buildpacks.fields.group> | undefined;
type RawEnv = Shaped<typeof PROJECT_0_3.fields.io.fields.buildpacks.fields.build.fields.env> | undefined;

function projectOf(raw: RawProject): ProjectDescriptor["project"] {
  const { id, name, version, "source-url": sourceUrl, "documentation-url": documentationUrl } = raw ?? {};
  return {
    ...(id !== undefined && { id }),
    ...(name !== undefined && { name }),
    ...(version !== undefined && { version }),
    ...(sourceUrl !== undefined && { sourceUrl }),
    ...(documentationUrl !== undefined && { documentationUrl }),
  };
}

function filterOf(raw: RawFilter): Pick<ProjectDescriptor, "builder" | "include" | "exclude"> {
  const { builder, include, exclude } = raw ?? {};
  return {
    ...(builder !== undefined && { builder }),
    ...(include !== undefined && { include }),
    ...(exclude !== undefined && { exclude }),
  };
}

function checkFilter(reader: Reader, raw: RawFilter, path: readonly PathStep[]): void {
  if (raw?.include !== undefined && raw.exclude !== undefined) {
    throw reader.error("cannot have both include and exclude", [...path, "exclude"], "keep one of them");
  }
}

function checkLicenses(
  reader: Reader,
  licenses: readonly { readonly type?: string; readonly uri?: string }[] | undefined,
  path: readonly PathStep[],
): void {
  for (const [index, { type, uri }] of (licenses ?? []).entries()) {
    if (type === undefined && uri === undefined)
      throw reader.error("a license needs a type or a uri", [...path, index]);
  }
}

function buildpacksOf(reader: Reader, raw: RawBuildpacks, path: readonly PathStep[]): readonly ProjectBuildpack[] {
  return (raw ?? []).map(({ id, version, uri, script, "exec-env": execEnv = [] }, index) => {
    const at = [...path, index];
    const given = Object.entries({ version, uri, script }).flatMap(([key, value]) =>
      value === undefined ? [] : [key],
    );
    if (given.length > 1) {
      throw reader.error(
        `cannot have both ${given.join(" and ")}`,
        at,
        "a buildpack has one of version, uri and script",
      );
    }
    if (id === undefined && uri === undefined) throw reader.error("a buildpack needs an id or a uri", at);
    return {
      ...(id !== undefined && { id }),
      ...(version !== undefined && { version }),
      ...(uri !== undefined && { uri }),
      ...(script !== undefined && { script: scriptOf(reader, script, [...at, "script"]) }),
      execEnv,
      place: `${path.join(".")}[${index}]`,
    };
  });
}

function scriptOf(
  reader: Reader,
  { api, shell, inline }: { readonly api?: string; readonly shell?: string; readonly inline?: string },
  path: readonly PathStep[],
): InlineScript {
  if (api === undefined) throw reader.error("a script needs an api", path, 'such as api = "0.10"');
  if (inline === undefined) throw reader.error("a script needs inline", path);
  if (shell !== undefined && !/^\/[^\0\r\n]*$/.test(shell)) {
    throw reader.error("shell must be an absolute path on one line", [...path, "shell"], "such as /bin/bash");
  }
  return { api, ...(shell !== undefined && { shell }), inline };
}

function envOf(reader: Reader, raw: RawEnv, path: readonly PathStep[]): readonly ProjectEnvVar[] {
  return (raw ?? []).map(({ name = "", value = "", "exec-env": execEnv = [] }, index) => {
    if (name === "" || name === "." || name === ".." || name.length > 255 || /[/=\0]/.test(name)) {
      throw reader.error(`${JSON.stringify(name)} cannot be the name of a variable`, [...path, index, "name"]);
    }
    return { name, value, execEnv };
  });
}
