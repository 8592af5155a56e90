import { type Digest, parseDigest } from "./digest.ts";
import { goJson, type JsonObject, type Shape } from "./go-json.ts";
import { JsonReader, parseJsonObject } from "./json-border.ts";

/** An image config in its JSON field names (OCI image spec, config.md). Unknown fields are kept. */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly "os.version"?: string;
  readonly variant?: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly history?: readonly History[];
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly Digest[] };
  readonly config: RuntimeConfig;
  readonly [unknownField: string]: unknown;
}

/** One step of an image's making; every step that is not an `empty_layer` made one layer. */
export interface History {
  readonly author?: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly created_by?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** How a container of the image starts. */
export interface RuntimeConfig {
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  /** Each `NAME=value`. */
  readonly Env?: readonly string[];
  readonly Labels?: Readonly<Record<string, string>>;
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly [unknownField: string]: unknown;
}

const configShape: Shape = [
  { name: "architecture" },
  { name: "author", omitEmpty: true },
  { name: "container", omitEmpty: true },
  { name: "created" },
  { name: "docker_version", omitEmpty: true },
  {
    name: "history",
    omitEmpty: true,
    shape: [
      { name: "author", omitEmpty: true },
      { name: "created" },
      { name: "created_by", omitEmpty: true },
      { name: "comment", omitEmpty: true },
      { name: "empty_layer", omitEmpty: true },
    ],
  },
  { name: "os" },
  { name: "rootfs", shape: [{ name: "type" }, { name: "diff_ids" }] },
  {
    name: "config",
    shape: [
      { name: "AttachStderr", omitEmpty: true },
      { name: "AttachStdin", omitEmpty: true },
      { name: "AttachStdout", omitEmpty: true },
      { name: "Cmd", omitEmpty: true },
      {
        name: "Healthcheck",
        omitEmpty: true,
        shape: [
          { name: "Test", omitEmpty: true },
          { name: "Interval", omitEmpty: true },
          { name: "Timeout", omitEmpty: true },
          { name: "StartPeriod", omitEmpty: true },
          { name: "Retries", omitEmpty: true },
        ],
      },
      { name: "Domainname", omitEmpty: true },
      { name: "Entrypoint", omitEmpty: true },
      { name: "Env", omitEmpty: true },
      { name: "Hostname", omitEmpty: true },
      { name: "Image", omitEmpty: true },
      { name: "Labels", omitEmpty: true },
      { name: "OnBuild", omitEmpty: true },
      { name: "OpenStdin", omitEmpty: true },
      { name: "StdinOnce", omitEmpty: true },
      { name: "Tty", omitEmpty: true },
      { name: "User", omitEmpty: true },
      { name: "Volumes", omitEmpty: true },
      { name: "WorkingDir", omitEmpty: true },
      { name: "ExposedPorts", omitEmpty: true },
      { name: "ArgsEscaped", omitEmpty: true },
      { name: "NetworkDisabled", omitEmpty: true },
      { name: "MacAddress", omitEmpty: true },
      { name: "StopSignal", omitEmpty: true },
      { name: "Shell", omitEmpty: true },
    ],
  },
  { name: "os.version", omitEmpty: true },
  { name: "variant", omitEmpty: true },
  { name: "os.features", omitEmpty: true },
];

/** The bytes of a config, as Go tools write them: the digest of equal content is equal. */
export function encodeConfig(config: ImageConfig): Uint8Array {
  const history = config.history?.map((entry) => ({ ...entry, created: entry.created ?? zeroTime }));
  return Buffer.from(goJson({ ...config, created: config.created ?? zeroTime, history }, configShape));
}

/** How Go writes a time that was never set. */
export const zeroTime = "0001-01-01T00:00:00Z";

/**
 * Parses a config.
 * @param where the image's name, for messages
 * @throws ImageError `invalid` if a field that this project uses has another type than the spec says
 */
export function parseConfig(bytes: Uint8Array, where: string): ImageConfig {
  const object = parseJsonObject(bytes, `config of ${where}`);
  const reader = new JsonReader(object, `config of ${where}`);
  const rootfs = reader.object("rootfs") ?? {};
  const diffIds = new JsonReader(rootfs, `config of ${where}: rootfs`).texts("diff_ids") ?? [];
  return {
    ...object,
    architecture: reader.text("architecture") ?? "",
    os: reader.text("os") ?? "",
    "os.version": reader.text("os.version"),
    variant: reader.text("variant"),
    created: reader.text("created"),
    history: reader.objects("history")?.map((entry) => parseHistory(entry, where)),
    rootfs: {
      type: "layers",
      diff_ids: diffIds.map((diffId) => parseDigest(diffId, `config of ${where}: rootfs.diff_ids`)),
    },
    config: parseRuntimeConfig(reader.object("config") ?? {}, where),
  };
}

function parseHistory(object: JsonObject, where: string): History {
  const reader = new JsonReader(object, `config of ${where}: history`);
  return {
    author: reader.text("author"),
    created: reader.text("created"),
    created_by: reader.text("created_by"),
    comment: reader.text("comment"),
    empty_layer: object.empty_layer === true,
  };
}

function parseRuntimeConfig(object: JsonObject, where: string): RuntimeConfig {
  const reader = new JsonReader(object, `config of ${where}: config`);
  return {
    ...object,
    Cmd: reader.texts("Cmd"),
    Entrypoint: reader.texts("Entrypoint"),
    Env: reader.texts("Env"),
    Labels: reader.textMap("Labels"),
    User: reader.text("User"),
    WorkingDir: reader.text("WorkingDir"),
  };
}
