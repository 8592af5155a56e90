import { type Reader, readToml } from "./decode.ts";
import { ifAny, record, type Writable } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

/** A file that the preparer has written, with the digest of its content, by which it knows it again. */
export interface PreparedOutput {
  readonly path: string;
  /** `sha256:<hex>` */
  readonly digest: string;
}

/** A buildpack that the preparer has brought, or took from the builder. */
export interface PreparedBuildpack {
  readonly id: string;
  readonly version: string;
  /** Why it is there: `io.buildpacks.group[0]`, or `dependency of <id>@<version>`. */
  readonly reason: string;
  /** `builder`, `inline`, a path, a URL or an image with its digest. */
  readonly source: string;
  /** Of what it was unpacked from, `sha256:<hex>`; absent for directories and the builder's own. */
  readonly digest?: string;
  /** Its directory; absent for the builder's own. */
  readonly path?: string;
}

/** prepared.toml: what the preparer read, what it decided and why. A file of this lifecycle. */
export interface Prepared {
  /** project.toml, if there was one. */
  readonly descriptor?: { readonly path: string; readonly digest: string; readonly schemaVersion: string };
  readonly app: { readonly path: string; readonly source?: string; readonly removed: number };
  /** Where the detector finds buildpacks. */
  readonly buildpacksDir: string;
  readonly buildpacks: readonly PreparedBuildpack[];
  /** The order's file before; absent if the order stays what it is. */
  readonly builderOrder?: string;
  /** What the descriptor tells later phases. */
  readonly lifecycle: {
    readonly builder?: string;
    readonly runImage?: string;
    readonly logLevel?: string;
    readonly processType?: string;
  };
  /** One line for each decision. */
  readonly decisions: readonly string[];
  readonly outputs: readonly PreparedOutput[];
}

/** Reads prepared.toml. @throws FormatError */
export function parsePrepared(text: string, file: string): Prepared {
  const reader = readToml(text, file);
  const descriptor = reader.optionalTable("descriptor");
  const app = reader.table("app");
  const source = app.optionalString("source");
  const builderOrder = reader.optionalString("builder-order");
  const lifecycle = reader.table("lifecycle");
  return {
    ...(descriptor && {
      descriptor: {
        path: descriptor.string("path"),
        digest: descriptor.string("digest"),
        schemaVersion: descriptor.string("schema-version"),
      },
    }),
    app: {
      path: app.string("path"),
      ...(source !== undefined && { source }),
      removed: app.optionalInteger("removed") ?? 0,
    },
    buildpacksDir: reader.string("buildpacks-dir"),
    buildpacks: reader.tables("buildpacks", readPreparedBuildpack),
    ...(builderOrder !== undefined && { builderOrder }),
    lifecycle: {
      ...optional("builder", lifecycle.optionalString("builder")),
      ...optional("runImage", lifecycle.optionalString("run-image")),
      ...optional("logLevel", lifecycle.optionalString("log-level")),
      ...optional("processType", lifecycle.optionalString("process-type")),
    },
    decisions: reader.strings("decisions"),
    outputs: reader.tables("outputs", (output) => ({ path: output.string("path"), digest: output.string("digest") })),
  };
}

/** Writes prepared.toml. */
export function formatPrepared(prepared: Prepared): string {
  const { descriptor, app, lifecycle } = prepared;
  return formatToml(
    record({
      "buildpacks-dir": prepared.buildpacksDir,
      "builder-order": prepared.builderOrder,
      decisions: ifAny(prepared.decisions),
      descriptor:
        descriptor &&
        record({ path: descriptor.path, digest: descriptor.digest, "schema-version": descriptor.schemaVersion }),
      app: record({ path: app.path, source: app.source, removed: BigInt(app.removed) }),
      lifecycle: ifAnyField({
        builder: lifecycle.builder,
        "run-image": lifecycle.runImage,
        "log-level": lifecycle.logLevel,
        "process-type": lifecycle.processType,
      }),
      buildpacks: ifAny(
        prepared.buildpacks.map(({ id, version, reason, source, digest, path }) =>
          record({ id, version, reason, source, digest, path }),
        ),
      ),
      outputs: ifAny(prepared.outputs.map(({ path, digest }) => record({ path, digest }))),
    }),
  );
}

function readPreparedBuildpack(reader: Reader): PreparedBuildpack {
  return {
    id: reader.string("id"),
    version: reader.string("version"),
    reason: reader.string("reason"),
    source: reader.string("source"),
    ...optional("digest", reader.optionalString("digest")),
    ...optional("path", reader.optionalString("path")),
  };
}

function optional<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: string };
}

function ifAnyField(fields: { readonly [key: string]: Writable }): Writable {
  return Object.values(fields).some((value) => value !== undefined) ? record(fields) : undefined;
}
