import type { IgnoreRules } from "./ignore-file.ts";
import { hashSources, SourceTree } from "./source-tree.ts";

/** An image that files are copied from. */
export interface SourceImage {
  /** Names exactly what it holds, such as its digest; part of what layers are cached by. */
  readonly identity: string;
  /** Gives the directory that holds its root, which is filled only when it is asked for. */
  readonly root: () => Promise<string>;
  /** What in that directory is not of the image. */
  readonly rules?: IgnoreRules;
}

/** Where COPY, ADD and mounts take files from. */
export interface Origin {
  /**
   * What makes the files at these paths what they are.
   * @throws InstructionError if that takes a look at them, and there are none
   */
  material(paths: readonly string[]): Promise<unknown>;
  tree(): Promise<SourceTree>;
}

/** The build context: its files are what they hold. */
export function contextOrigin(directory: string, rules: IgnoreRules, signal: AbortSignal): Origin {
  const tree = new SourceTree(directory, "the build context", rules);
  return {
    material: (paths) =>
      hashSources(
        paths.flatMap((path) => tree.find(path)),
        signal,
      ),
    tree: async () => tree,
  };
}

/** An image: what its files are is known without a look at them. @param reference what it is called */
export function imageOrigin(image: SourceImage, reference: string): Origin {
  return {
    material: async (paths) => [image.identity, paths],
    tree: async () => new SourceTree(await image.root(), `image ${reference}`, image.rules),
  };
}
