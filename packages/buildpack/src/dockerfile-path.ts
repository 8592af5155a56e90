import { join } from "node:path";
import type { ApiVersion } from "@lifecycle/spec-types";
import { escapeId } from "./module.ts";

/**
 * Where in `<generated>` the Dockerfile lies that an extension generated for one kind of image. Platform spec, "detector".
 */
export function dockerfilePath(
  { generatedDir, platformApi }: { readonly generatedDir: string; readonly platformApi: ApiVersion },
  kind: "build" | "run",
  extensionId: string,
): string {
  const name = escapeId(extensionId);
  return platformApi.atLeast("0.13")
    ? join(generatedDir, name, `${kind}.Dockerfile`)
    : join(generatedDir, kind, name, "Dockerfile");
}
