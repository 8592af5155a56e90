import type { ExtendKind } from "@lifecycle/extender";
import type { Inputs } from "@lifecycle/phase";
import { ApiVersion, type GroupElement } from "@lifecycle/spec-types";

// What creator and the process that kept root for it say to each other: one line of JSON each.

/** Asks for an image to be extended. */
export interface ExtendRequest {
  readonly kind: ExtendKind;
  readonly inputs: Inputs;
  /** The image extensions of the group, in its order. */
  readonly extensions: readonly GroupElement[];
  /** What the store that the app image goes to knows the run image by; nothing for the build image. */
  readonly runImage: string;
}

/** What came of it. */
export type ExtendAnswer =
  /** The variables that the Dockerfiles set, by name. */
  | { readonly kind: "build"; readonly env: Readonly<Record<string, string>> }
  /** The directory that has the extended image as `run/<digest>`, until the worker ends. */
  | { readonly kind: "run"; readonly extendedDir: string }
  | { readonly kind: "failed"; readonly message: string; readonly exitCode: number };

export function formatRequest({ inputs, ...request }: ExtendRequest): string {
  return `${JSON.stringify({ ...request, inputs: { ...inputs, platformApi: `${inputs.platformApi}` } })}\n`;
}

/** Reads what `formatRequest` wrote. */
export function parseRequest(line: string): ExtendRequest {
  const { inputs, ...request } = JSON.parse(line) as Omit<ExtendRequest, "inputs"> & {
    inputs: Omit<Inputs, "platformApi"> & { platformApi: string };
  };
  return { ...request, inputs: { ...inputs, platformApi: ApiVersion.parse(inputs.platformApi) } };
}
