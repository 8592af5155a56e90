import type { BuildpackInfo, GroupElement, ModuleInfo, OrderGroup, Target } from "@lifecycle/spec-types";

/** What a group consists of. The names are those of log lines and messages. */
export type ModuleKind = "Buildpack" | "Extension";

/** What a buildpack and an extension on disk have in common. */
interface ModuleBase {
  /** Absolute path of its directory. */
  readonly dir: string;
  /** Buildpack API, as the descriptor has it. */
  readonly api: string;
  readonly info: ModuleInfo;
  /** Declared targets, else those that follow from the stacks or the programs in `bin`. */
  readonly targets: readonly Target[];
}

/** A buildpack on disk. With an order it is a composite buildpack and has no programs. */
export interface Buildpack extends ModuleBase {
  readonly kind: "Buildpack";
  readonly info: BuildpackInfo;
  readonly order: readonly OrderGroup[];
}

/** An image extension on disk. */
export interface Extension extends ModuleBase {
  readonly kind: "Extension";
}

/** A buildpack or an image extension on disk. */
export type Module = Buildpack | Extension;

/** Whether an element of a group is a buildpack or an extension. */
export function kindOf(element: GroupElement): ModuleKind {
  return element.extension ? "Extension" : "Buildpack";
}

/** `<id>@<version>`, as log lines and messages name an element of a group. */
export function nameOf({ id, version }: { readonly id: string; readonly version: string }): string {
  return `${id}@${version}`;
}

/**
 * The name of a buildpack's or extension's directory: its id with `/` replaced. Platform spec, "Buildpacks Directory
 * Layout".
 *
 * @throws Error for an id that would be no plain directory name
 */
export function escapeId(id: string): string {
  const escaped = id.replaceAll("/", "_");
  if (escaped === "" || escaped === "." || escaped === ".." || escaped.includes("\0")) {
    throw new Error(`invalid buildpack or extension id ${JSON.stringify(id)}`);
  }
  return escaped;
}
