import { type Reader, readToml } from "./decode.ts";
import { record } from "./ordered.ts";
import { formatToml } from "./toml-writer.ts";

/** Versions of one API. */
export interface ApiSet {
  readonly deprecated: readonly string[];
  readonly supported: readonly string[];
}

/** lifecycle.toml, the descriptor at the top of a lifecycle archive (distribution.md; RFC 11). */
export interface LifecycleDescriptor {
  readonly apis: { readonly buildpack: ApiSet; readonly platform: ApiSet };
  /** The oldest version of each, for platforms that know no better. */
  readonly api?: { readonly platform: string; readonly buildpack: string };
  readonly lifecycle: { readonly version: string; readonly sbomFormats?: readonly string[] };
}

/** Reads lifecycle.toml. @throws FormatError */
export function parseLifecycleDescriptor(text: string, file: string): LifecycleDescriptor {
  const reader = readToml(text, file);
  const apis = reader.table("apis");
  const api = reader.optionalTable("api");
  const lifecycle = reader.table("lifecycle");
  const sbomFormats = lifecycle.optionalStrings("sbom-formats");
  return {
    apis: { buildpack: readApiSet(apis.table("buildpack")), platform: readApiSet(apis.table("platform")) },
    ...(api !== undefined && { api: { platform: api.string("platform"), buildpack: api.string("buildpack") } }),
    lifecycle: { version: lifecycle.string("version"), ...(sbomFormats !== undefined && { sbomFormats }) },
  };
}

function readApiSet(reader: Reader): ApiSet {
  return { deprecated: reader.strings("deprecated"), supported: reader.strings("supported") };
}

export function formatLifecycleDescriptor({ apis, api, lifecycle }: LifecycleDescriptor): string {
  return formatToml(
    record({
      apis: record({ buildpack: record({ ...apis.buildpack }), platform: record({ ...apis.platform }) }),
      api: api && record({ platform: api.platform, buildpack: api.buildpack }),
      lifecycle: record({ version: lifecycle.version, "sbom-formats": lifecycle.sbomFormats }),
    }),
  );
}
