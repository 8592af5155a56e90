import type { Inputs } from "@lifecycle/phase";
import { ApiVersion, type GroupElement } from "@lifecycle/spec-types";

// What creator and the process that kept root for it say to each other: one line of JSON each.

/** What it takes to extend an image. */
export interface ExtendInputs {
  readonly inputs: Inputs;
  /** The image extensions of the group, in its order. */
  readonly extensions: readonly GroupElement[];
}

/** Asks for the image of the container to be extended. */
export interface ExtendBuildRequest extends ExtendInputs {
  readonly kind: "build";
}

/** Asks for the run image to be extended. */
export interface ExtendRunRequest extends ExtendInputs {
  readonly kind: "run";
  /** What the store that the app image goes to knows it by. */
  readonly runImage: string;
}

export type ExtendRequest = ExtendBuildRequest | ExtendRunRequest;

/** What came of a request, by its kind. */
export interface ExtendResults {
  /** The variables that the Dockerfiles set, by name. */
  readonly build: { readonly env: Readonly<Record<string, string>> };
  /** The directory that has the extended image as `run/<digest>`, until the worker ends. */
  readonly run: { readonly extendedDir: string };
}

/** A result, or why there is none: the message and exit code of a LifecycleError. */
export type ExtendAnswer<Result = ExtendResults[keyof ExtendResults]> =
  | { readonly result: Result }
  | { readonly failure: string; readonly exitCode: number };

/** A request as a line, its line feed included. */
export function formatRequest(request: ExtendRequest): string {
  const { inputs } = request;
  return `${JSON.stringify({ ...request, inputs: { ...inputs, platformApi: `${inputs.platformApi}` } })}\n`;
}

/** Reads what `formatRequest` wrote. */
export function parseRequest(line: string): ExtendRequest {
  const request = JSON.parse(line) as ExtendRequest & { inputs: { platformApi: string } };
  const { inputs } = request;
  return { ...request, inputs: { ...inputs, platformApi: ApiVersion.parse(inputs.platformApi) } };
}
