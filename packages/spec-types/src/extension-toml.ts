import { type ModuleInfo, readModuleInfo, readTarget, type Target } from "./buildpack-toml.ts";
import { readToml } from "./decode.ts";

/** extension.toml (image_extension.md, "extension.toml"). */
export interface ExtensionDescriptor {
  readonly api: string;
  readonly extension: ModuleInfo;
  readonly targets: readonly Target[];
}

/** Reads extension.toml. Its targets are those written there: see {@link extensionTargets}. @throws FormatError */
export function parseExtensionDescriptor(text: string, file: string): ExtensionDescriptor {
  const reader = readToml(text, file);
  return {
    api: reader.string("api"),
    extension: readModuleInfo(reader.table("extension")),
    targets: reader.tables("targets", readTarget),
  };
}

/**
 * The systems an extension is for: what it lists, or linux if it has programs, or any.
 *
 * @param binFiles the names in its bin directory
 */
export function extensionTargets(descriptor: ExtensionDescriptor, binFiles: readonly string[]): readonly Target[] {
  if (descriptor.targets.length > 0) {
    return descriptor.targets;
  }
  const hasProgram = binFiles.includes("detect") || binFiles.includes("generate");
  return [{ os: hasProgram ? "linux" : "", arch: "" }];
}
